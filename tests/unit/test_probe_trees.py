"""The probe's shell text on hosts of several kinds, and with busybox's own programs alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from orch.model.node import Facts, Reachable
from orch.model.resources import Resources
from orch.observe.probe import parse_probe, probe_script
from tests.unit import trees
from tests.unit.shells import SHELLS

TOOLS = ("date", "df", "grep", "nproc", "sleep", "tail", "timeout", "uname", "xargs")
CONTAINER = (
    'container ["id","s.w.1","running",0,false,"2024-01-01T00:00:00Z",0,{"orch.stack":"s","orch.service":"w",'
    '"orch.slot":"1","orch.attempt":"1","orch.replica":"r","orch.spec":"h"},"image",{},""]'
)


def probe(shell: Sequence[str], tree: Path, programs: Path, sample: float = 0) -> Reachable:
    script = trees.reading(probe_script("prod", sample), tree)
    done = subprocess.run(shell, input=script, env={"PATH": str(programs)}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return parse_probe(done.stdout, 0.0, 0.0)


def facts(shell: Sequence[str], tmp_path: Path, tree: dict[str, str], *, busybox: bool = False) -> Facts:
    programs = trees.programs(tmp_path / "bin", *TOOLS, busybox=busybox)
    return probe(shell, trees.plant(tmp_path, tree), programs).facts


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_without_cgroups(shell: Sequence[str], tmp_path: Path) -> None:
    found = facts(shell, tmp_path, trees.ALPINE)

    assert found.capacity.memory == 2013840 << 10
    assert found.memory_used == (2013840 - 1500000) << 10
    assert (found.load, found.kernel, found.system) == (0.42, "6.6.14-0-lts", "Alpine Linux v3.19")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_root_of_version_2_has_the_machines_capacity(shell: Sequence[str], tmp_path: Path) -> None:
    found = facts(shell, tmp_path, trees.FEDORA)

    assert (found.capacity.memory, found.system) == (2013840 << 10, "Fedora Linux 41 (Server)")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("tree", "capacity", "used"),
    [
        (trees.LIMITED_V2, Resources(500, 1 << 30), 500 << 20),
        (trees.LIMITED_V1, Resources(1500, 512 << 20), 200_000_000),
    ],
    ids=["v2", "v1"],
)
def test_limits_are_found_where_each_version_keeps_them(
    shell: Sequence[str], tree: dict[str, str], capacity: Resources, used: int, tmp_path: Path
) -> None:
    found = facts(shell, tmp_path, tree)

    assert found.capacity.memory == capacity.memory
    # The quota is more than one processor, which the machine that runs this may not even have.
    assert found.capacity.millicpus <= capacity.millicpus
    assert found.memory_used == used


@pytest.mark.parametrize("shell", SHELLS)
def test_cpu_use_is_sampled_in_every_shell(shell: Sequence[str], tmp_path: Path) -> None:
    programs = trees.programs(tmp_path / "bin", *TOOLS)
    script = trees.reading(probe_script("prod", 0.01), trees.plant(tmp_path, trees.LIMITED_V1))
    done = subprocess.run(shell, input=script, env={"PATH": str(programs)}, capture_output=True, text=True, check=True)

    samples = [line for line in done.stdout.splitlines() if line.startswith("cpu_")]
    assert samples == ["cpu_before 1000.25 nsec 9000000000", "cpu_after 1000.25 nsec 9000000000"]


@pytest.mark.skipif(shutil.which("busybox") is None, reason="there is no busybox here")
def test_busybox_alone_is_enough(tmp_path: Path) -> None:
    programs = trees.programs(tmp_path / "bin", *TOOLS, "sh", busybox=True)
    (programs / "podman").write_text(
        f"#!{programs}/sh\n"
        'case "$1" in\n'
        "--version) echo 'level=warning msg=\"old kernel\"' >&2; echo podman version 5.2.5 ;;\n"
        "ps) echo id ;;\n"
        f"container) echo '{CONTAINER}' ;;\n"
        "esac\n"
    )
    (programs / "podman").chmod(0o755)
    shell = [str(programs / "sh")]
    found = probe(shell, trees.plant(tmp_path, trees.ALPINE), programs, sample=0.01)

    assert (found.problem, found.facts.podman, len(found.containers)) == ("", "5.2.5", 1)
    assert found.facts.system == "Alpine Linux v3.19"
    assert found.facts.arch == subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()
    assert found.facts.capacity.millicpus >= 1000


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("there", ["var/lib/containers/storage", "var/lib/other"])
def test_the_disk_is_told_also_before_podman_has_made_its_folder(
    shell: Sequence[str], there: str, tmp_path: Path
) -> None:
    (tmp_path / there).mkdir(parents=True)
    found = facts(shell, tmp_path, trees.ALPINE)

    assert found.disk_free is not None
    assert abs(found.disk_free - shutil.disk_usage(tmp_path).free) < 1 << 30


def test_a_disk_that_cannot_be_told_is_not_a_full_one(tmp_path: Path) -> None:
    assert facts(SHELLS[0], tmp_path, trees.ALPINE).disk_free is None


def test_a_podman_that_tells_no_version_is_still_there(tmp_path: Path) -> None:
    programs = trees.programs(tmp_path / "bin", *TOOLS, "sh")
    (programs / "podman").write_text(f"#!{programs}/sh\necho Error: broken >&2\nexit 125\n")
    (programs / "podman").chmod(0o755)
    found = probe(SHELLS[0], trees.plant(tmp_path, trees.ALPINE), programs)

    assert (found.facts.podman, found.problem) == ("unknown", "podman does not answer: Error: broken")
