"""Where a lab's parts are, what hierarchies its hosts join, what is on their disks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orch.errors import UsageError
from orch.inventory.fleet import build_fleet
from orch.lab.cgroups import Hierarchy, parse_hierarchies
from orch.lab.layout import Lab, LabHost, LabPaths, plan_lab
from orch.located import parse_located
from tests.unit import mountinfo

BAD_NAMES = ["", "A", "9x", "-a", "a_b", "a.b", "a/b", "..", "x" * 17, "é", "a\n", "images"]


def test_a_lab_has_hosts_that_are_all_alike() -> None:
    assert plan_lab("dev", 2, 500, 1 << 30) == Lab(
        "dev", (LabHost("w1", 1, 500, 1 << 30), LabHost("w2", 2, 500, 1 << 30))
    )


def test_hosts_have_addresses_of_their_numbers() -> None:
    assert [h.address for h in plan_lab("dev", 3, 0, 0).hosts] == ["198.18.0.1", "198.18.0.2", "198.18.0.3"]


def test_the_largest_lab_leaves_the_masters_address_free() -> None:
    assert len({h.address for h in plan_lab("dev", 100, 0, 0).hosts} | {"198.18.0.254"}) == 101


@pytest.mark.parametrize("count", [0, -1, 101])
def test_a_lab_has_1_to_100_hosts(count: int) -> None:
    with pytest.raises(UsageError, match=f"^a lab has 1 to 100 hosts, not {count}$"):
        plan_lab("dev", count, 0, 0)


def test_a_host_needs_some_memory() -> None:
    assert plan_lab("dev", 1, 0, 64 << 20).hosts[0].memory == 64 << 20
    with pytest.raises(UsageError, match=r"^a lab host needs at least 64m of memory$"):
        plan_lab("dev", 1, 0, (64 << 20) - 1)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_cannot_be_used_everywhere_is_refused(name: str) -> None:
    message = f"{name!r} cannot name a lab: use up to 16 of a-z, 0-9 and -, a letter first"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        plan_lab(name, 1, 0, 0)


@pytest.mark.parametrize("name", ["a", "dev-2", "x" * 16])
def test_the_cluster_of_a_lab_has_a_name_that_inventories_take(name: str) -> None:
    text = f"all: {{hosts: {{w1: }}, vars: {{orch: {{cluster: lab-{LabPaths(name).lab}}}}}}}"

    assert build_fleet([parse_located(text, "i.yml")], Path("/fleet")).cluster == f"lab-{name}"


def test_a_name_that_no_cluster_can_have_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot name a lab"):
        LabPaths("a-")


def test_a_host_is_found_by_name() -> None:
    assert plan_lab("dev", 2, 0, 0).host("w2") == LabHost("w2", 2)


@pytest.mark.parametrize(
    ("lab", "there"), [(plan_lab("dev", 2, 0, 0), "w1, w2"), (Lab("dev", ()), "none")], ids=["two hosts", "no hosts"]
)
def test_an_unknown_host_is_refused_with_those_there_are(lab: Lab, there: str) -> None:
    with pytest.raises(UsageError, match=f"^lab dev has no host w9; it has {there}$"):
        lab.host("w9")


def test_every_path_and_name_comes_from_the_labs_own() -> None:
    paths = plan_lab("dev", 1, 0, 0).paths()
    home = Path("/var/lib/orch-lab/dev")

    assert (paths.home, paths.lock) == (home, Path("/var/lib/orch-lab/dev.lock"))
    assert (paths.manifest, paths.inventory) == (home / "lab.json", home / "inventory.yml")
    assert (paths.known_hosts, paths.key, paths.disk) == (home / "known_hosts", home / "id_ed25519", home / "disk")
    assert (paths.cgroup, paths.switch) == ("orch-lab/dev", "orch-dev")


def test_every_path_and_name_of_a_host_comes_from_the_labs_and_its_own() -> None:
    paths, home = LabPaths("dev"), Path("/var/lib/orch-lab/dev/hosts/w1")

    assert paths.netns("w1") == "orch-dev.w1"
    assert (paths.host_cgroup("w1"), paths.super_cgroup("w1"), paths.box_cgroup("w1")) == (
        "orch-lab/dev/w1",
        "orch-lab/dev/w1/super",
        "orch-lab/dev/w1/box",
    )
    assert (paths.host_home("w1"), paths.root("w1"), paths.containers("w1")) == (
        home,
        home / "root",
        home / "containers",
    )
    assert (paths.console("w1"), paths.pid("w1")) == (home / "console.log", home / "pid")
    assert (paths.upper("w1"), paths.work("w1")) == (
        Path("/var/lib/orch-lab/dev/disk/w1/upper"),
        Path("/var/lib/orch-lab/dev/disk/w1/work"),
    )


def hierarchy(mount: str, options: str) -> Hierarchy:
    return Hierarchy(Path("/sys/fs/cgroup") / mount, options)


SYSTEMD = hierarchy("systemd", "none,name=systemd")
OF_V1 = [SYSTEMD, hierarchy("cpu,cpuacct", "cpu,cpuacct"), hierarchy("cpuset", "cpuset"), hierarchy("memory", "memory")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param(mountinfo.COMMON, [], id="no cgroups"),
        pytest.param(mountinfo.V1, OF_V1, id="version 1"),
        pytest.param(mountinfo.HYBRID, [*OF_V1, hierarchy("unified", "unified")], id="hybrid"),
        pytest.param(mountinfo.V1_TWICE, OF_V1, id="version 1, one mounted twice"),
        pytest.param(mountinfo.V2, [hierarchy("", "")], id="version 2"),
        pytest.param(mountinfo.V2_TWICE, [hierarchy("", "")], id="version 2 mounted twice"),
        pytest.param(mountinfo.V2_AND_NET_CLS, [hierarchy("", "")], id="version 2, a controller of version 1 with it"),
        pytest.param(mountinfo.RELEASE_AGENT, [SYSTEMD, hierarchy("pids", "pids")], id="with a release agent"),
        pytest.param(mountinfo.SELINUX, [SYSTEMD, hierarchy("pids", "pids")], id="under SELinux"),
    ],
)
def test_hierarchies_are_found_with_systemds_first(text: str, expected: list[Hierarchy]) -> None:
    assert parse_hierarchies(text) == expected


def test_a_hierarchy_knows_its_controllers() -> None:
    assert hierarchy("cpu,cpuacct", "cpu,cpuacct").controllers == ["cpu", "cpuacct"]
