"""Labs on machines whose control groups fall short: in mount namespaces that see less, and in real small groups."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.errors import LabError
from orch.lab import cgroups
from orch.lab.cgroups import Hierarchy
from tests.lab.hosts import ORCH, TestLab

DOMAIN_CONTROLLERS = ("memory", "io", "hugetlb")
"""Those of version 2 that a group with processes cannot pass on; which one the machine has does not matter."""

HIDE = """
set -e
if [ -d /sys/fs/cgroup/$1 ]; then
    umount /sys/fs/cgroup/$1
else
    sed "s/ *\\b$1\\b//" /sys/fs/cgroup/cgroup.controllers >"$2/controllers"
    mount --bind "$2/controllers" /sys/fs/cgroup/cgroup.controllers
fi
shift 2
exec "$@"
"""
"""In a mount namespace of its own: runs words without a controller, as a machine that was booted without it."""


def without(controller: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["unshare", "--mount", "sh", "-c", HIDE, "sh", controller, str(folder), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("controller", "limit"), [("memory", ("--memory", "1g")), ("cpu", ("--cpus", "1"))])
def test_a_lab_with_a_limit_that_the_machine_has_not_is_refused_and_leaves_nothing(
    own_lab: TestLab, tmp_path: Path, controller: str, limit: tuple[str, str]
) -> None:
    done = without(controller, tmp_path, ORCH, "lab", "up", "--lab", own_lab.name, "-n", "1", *limit)
    assert done.returncode == 1
    assert done.stderr == (
        f"orch: this machine's cgroups limit no {controller}: boot with cgroup_enable={controller} on the kernel's "
        "command line, or make the lab without that limit\n"
    )
    assert f"there is no lab {own_lab.name}" in own_lab.lab("status", status=1).stderr
    assert cgroups.directories(f"orch-lab/{own_lab.name}") == []


def test_without_any_cgroups_the_error_says_where_to_mount_them(own_lab: TestLab) -> None:
    hide = 'umount --recursive --lazy /sys/fs/cgroup && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", hide, "sh", ORCH, "lab", "up", "--lab", own_lab.name]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "orch: no cgroups are mounted on this machine; mount them under /sys/fs/cgroup\n"


@pytest.fixture
def version_2(root: None) -> Iterator[tuple[Hierarchy, Path, str]]:
    """A hierarchy of version 2, a group in it that could pass a controller on, and that controller."""
    hierarchy = next(h for h in cgroups.hierarchies() if h.is_version_2)
    passed = hierarchy.mount / "cgroup.subtree_control"
    before = passed.read_text().split()
    controller = next(c for c in DOMAIN_CONTROLLERS if c in (hierarchy.mount / "cgroup.controllers").read_text())
    group = hierarchy.mount / f"orch-test-{os.getpid()}"
    passed.write_text(f"+{controller}")
    group.mkdir()
    yield hierarchy, group, controller
    for below in (*group.glob("*/"), group):
        below.rmdir()
    if controller not in before:
        passed.write_text(f"-{controller}")


def test_a_group_that_has_processes_itself_is_named_with_what_to_do(version_2: tuple[Hierarchy, Path, str]) -> None:
    """As in a container with cgroups of its own, whose processes are all in what it sees as the root."""
    hierarchy, group, controller = version_2
    inside = "echo $$ >$0/cgroup.procs && exec sleep 3600"
    with subprocess.Popen(["sh", "-c", inside, str(group)]) as process:
        try:
            while str(process.pid) not in (group / "cgroup.procs").read_text().split():
                assert process.poll() is None
            with pytest.raises(LabError) as refused:
                cgroups.pass_on_controllers(hierarchy, group, (controller,))
            assert str(refused.value) == (
                f"{group} cannot pass {controller} on to hosts: processes are in it itself, as in a container with "
                "cgroups of its own; move them into a cgroup below it"
            )
            # What it says helps.
            (group / "below").mkdir()
            (group / "below" / "cgroup.procs").write_text(str(process.pid))
            cgroups.pass_on_controllers(hierarchy, group, (controller,))
            assert (group / "cgroup.subtree_control").read_text().split() == [controller]
        finally:
            process.kill()
