"""What a machine's control groups can limit, and what is said where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.errors import LabError
from orch.lab.cgroups import BESIDE, Hierarchy, check_limits

V1 = [
    Hierarchy(Path("/sys/fs/cgroup/systemd"), "none,name=systemd"),
    Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), "cpu,cpuacct"),
]
"""Of version 1, whose mount options say all. The memory controller is off, as Debian had it on some boards."""


def version_2(folder: Path, controllers: str) -> list[Hierarchy]:
    (folder / "cgroup.controllers").write_text(f"{controllers}\n")
    return [Hierarchy(folder, "")]


@pytest.mark.parametrize(("cpu", "memory"), [(False, False), (True, False)])
def test_a_machine_that_limits_what_is_asked_for_is_fit(tmp_path: Path, cpu: bool, memory: bool) -> None:
    check_limits(V1, cpu=cpu, memory=memory)
    check_limits(version_2(tmp_path, "cpuset cpu io pids"), cpu=cpu, memory=memory)


def test_a_machine_that_limits_everything_is_fit(tmp_path: Path) -> None:
    check_limits([*V1, Hierarchy(Path("/m"), "memory")], cpu=True, memory=True)
    check_limits(version_2(tmp_path, "cpuset cpu io memory pids"), cpu=True, memory=True)


def test_a_controller_that_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    message = (
        r"^this machine's cgroups limit no memory: boot with cgroup_enable=memory on the kernel's command line, "
        r"or make the lab without that limit$"
    )
    for found in (V1, version_2(tmp_path, "cpuset cpu io pids")):
        with pytest.raises(LabError, match=message):
            check_limits(found, cpu=True, memory=True)


@pytest.mark.parametrize("controllers", ["memory cpuset", "", "cpuacct memory"])
def test_a_controller_with_a_similar_name_is_another(tmp_path: Path, controllers: str) -> None:
    with pytest.raises(LabError, match=r"^this machine's cgroups limit no cpu: boot with cgroup_enable=cpu "):
        check_limits(version_2(tmp_path, controllers), cpu=True, memory=False)


def test_version_2_beside_version_1_limits_nothing(tmp_path: Path) -> None:
    beside = Hierarchy(version_2(tmp_path, "memory")[0].mount, BESIDE)
    with pytest.raises(LabError, match=r"limit no memory"):
        check_limits([*V1, beside], cpu=True, memory=True)
