"""A host's control groups: one directory in every hierarchy of version 1, or one of version 2.

They limit the host, and they are how its processes are found: whatever a host starts stays inside.
A host has two below its own: `super` for the process that holds its namespaces, and `box`, which carries the
limits and is the root of the host's own view. Version 2 wants no process in a group that has children.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from orch.errors import LabError

KILL_SECONDS = 10.0
JOIN_SECONDS = 2.0
_TRIES = 20
_GONE = (errno.ENOENT, errno.ENODEV, errno.EEXIST)
"""What the kernel says of a group that goes at that moment: before, while and after one makes or opens it."""
_PERIOD = 100_000  # microseconds; the kernel's default
_PLAIN_OPTIONS = frozenset(
    {"clone_children", "favordynmods", "noprefix", "release_agent", "ro", "rw", "seclabel", "xattr"}
)
"""Mount options of version 1 that name no controller."""

_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")

_HOME = Path("/sys/fs/cgroup")
"""Where systemd, and with it a host, looks for its cgroups."""

BESIDE = "unified"


class Hierarchy(msgspec.Struct, frozen=True):
    """`options` are mount(8)'s for mounting it afresh; empty for version 2, BESIDE for version 2 beside version 1.

    That one has no controllers, and a host's systemd mounts it by itself; but for a group of their own, all hosts
    would keep their units in the machine's root.
    """

    mount: Path
    options: str

    @property
    def is_version_2(self) -> bool:
        return self.options in {"", BESIDE}

    @property
    def controllers(self) -> list[str]:
        return self.options.split(",")


def parse_hierarchies(mountinfo: str) -> list[Hierarchy]:
    """The cgroup mounts in /proc/self/mountinfo: all of version 1 and version 2 beside them, or version 2 alone.

    `name=systemd` comes first: systemd itself must be born inside.
    """
    first: dict[str, Hierarchy] = {}
    unified: list[Hierarchy] = []
    for line in mountinfo.splitlines():
        mounted, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        mount = Path(mounted.split(" ")[4])
        if kind == "cgroup2":
            unified.append(Hierarchy(mount, ""))
        elif kind == "cgroup":
            own = ",".join(o for o in options.split(",") if o.split("=")[0] not in _PLAIN_OPTIONS)
            first.setdefault(own, Hierarchy(mount, f"none,{own}" if own.startswith("name=") else own))
    if (alone := Hierarchy(_HOME, "")) in unified:
        # Some programs mount a controller of version 1 for themselves, net_cls mostly: no host could live on that.
        return [alone]
    if not first:
        return unified[:1]
    beside = [Hierarchy(h.mount, BESIDE) for h in unified[:1]]
    return sorted(first.values(), key=lambda h: ("name=" not in h.options, h.options)) + beside


def hierarchies() -> list[Hierarchy]:
    """Raises LabError when none are mounted."""
    found = parse_hierarchies(Path("/proc/self/mountinfo").read_text())
    if not found:
        raise LabError("no cgroups are mounted on this machine; mount them under /sys/fs/cgroup")
    return found


def check_limits(found: Sequence[Hierarchy], *, cpu: bool, memory: bool) -> None:
    """Raises LabError when these hierarchies cannot limit what is to be limited."""
    offered = set[str]()
    for hierarchy in found:
        if not hierarchy.options:
            offered.update((hierarchy.mount / "cgroup.controllers").read_text().split())
        offered.update(hierarchy.controllers)
    for controller, limited in (("cpu", cpu), ("memory", memory)):
        if limited and controller not in offered:
            raise LabError(
                f"this machine's cgroups limit no {controller}: boot with cgroup_enable={controller} on the kernel's "
                "command line, or make the lab without that limit"
            )


def create(group: str, millicpus: int = 0, memory: int = 0) -> list[Path]:
    """Make the group in every hierarchy, limited; the directories that a member must join."""
    joined = []
    for hierarchy in hierarchies():
        # Another lab's `down` may remove the group above all labs between the steps.
        for _ in range(_TRIES):
            try:
                directory = _make(hierarchy, group)
                break
            except OSError as error:
                if error.errno not in _GONE:
                    raise
        else:
            raise LabError(f"the cgroup {group} cannot be made in {hierarchy.mount}")
        _limit(hierarchy, directory, millicpus, memory)
        joined.append(directory)
    return joined


def _make(hierarchy: Hierarchy, group: str) -> Path:
    directory = hierarchy.mount
    for part in Path(group).parts:
        pass_on_controllers(hierarchy, directory)
        directory /= part
        directory.mkdir(exist_ok=True)
        _fill_cpuset(hierarchy, directory)
    return directory


def pass_on_controllers(hierarchy: Hierarchy, directory: Path, wanted: Sequence[str] = _V2_CONTROLLERS) -> None:
    """Version 2: children have a controller only when their parent passes it on.

    Raises LabError when it cannot, since processes are in it.
    """
    if not hierarchy.is_version_2:
        return
    passed = directory / "cgroup.subtree_control"
    available = (directory / "cgroup.controllers").read_text().split()
    missing = [c for c in wanted if c in available and c not in passed.read_text().split()]
    if not missing:
        return
    try:
        passed.write_text(" ".join(f"+{c}" for c in missing))
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise LabError(
            f"{directory} cannot pass {', '.join(missing)} on to hosts: processes are in it itself, as in a container "
            "with cgroups of its own; move them into a cgroup below it"
        ) from error


def _fill_cpuset(hierarchy: Hierarchy, directory: Path) -> None:
    """Version 1: a cpuset begins empty, and nothing can join it."""
    if "cpuset" not in hierarchy.controllers:
        return
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not (directory / name).read_text().strip():
            (directory / name).write_text((directory.parent / name).read_text())


def _limit(hierarchy: Hierarchy, directory: Path, millicpus: int, memory: int) -> None:
    quota = millicpus * _PERIOD // 1000
    if not hierarchy.options:
        if millicpus:
            (directory / "cpu.max").write_text(f"{quota} {_PERIOD}")
        if memory:
            (directory / "memory.max").write_text(str(memory))
    if "cpu" in hierarchy.controllers and millicpus:
        (directory / "cpu.cfs_period_us").write_text(str(_PERIOD))
        (directory / "cpu.cfs_quota_us").write_text(str(quota))
    if "memory" in hierarchy.controllers and memory:
        (directory / "memory.limit_in_bytes").write_text(str(memory))


def join(parent: str, name: str) -> None:
    """Make a group in one that exists, if need be, and move this process into it.

    Raises LabError when that does not succeed. A systemd that looks after `parent` removes empty groups in it, at
    any time between the two steps.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    while True:
        try:
            for hierarchy in hierarchies():
                directory = hierarchy.mount / parent / name
                directory.mkdir(exist_ok=True)
                _fill_cpuset(hierarchy, directory)
                (directory / "cgroup.procs").write_text("0")
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise LabError(f"cannot enter the cgroup {parent}: {error.strerror}; is the host up?") from error
        time.sleep(0.01)


def directories(group: str) -> list[Path]:
    """Where the group exists, one for each hierarchy."""
    return [h.mount / group for h in hierarchies() if (h.mount / group).is_dir()]


def members(group: str) -> set[int]:
    """The processes in the group and below it, in any hierarchy."""
    found: set[int] = set()
    for top in directories(group):
        for directory, _, _ in os.walk(top):
            try:
                found.update(map(int, (Path(directory) / "cgroup.procs").read_text().split()))
            except OSError:
                continue  # Removed by its own host between the two looks.
    # Version 1 shows a process of another process namespace as 0, which to kill(2) means ourselves.
    return found - {0}


def kill(group: str) -> None:
    """End every process of the group. Raises LabError when some will not die."""
    deadline = time.monotonic() + KILL_SECONDS
    while left := members(group):
        _thaw(group)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise LabError(f"processes of {group} do not die: {', '.join(map(str, sorted(left)))}")
        time.sleep(0.01)


def _thaw(group: str) -> None:
    """Version 1: what is frozen cannot die, and runc freezes a container for a moment while it starts it."""
    for top in directories(group):
        for state in top.rglob("freezer.state"):
            try:
                if state.read_text().strip() != "THAWED":
                    state.write_text("THAWED")
            except OSError:
                continue  # Removed by its own host between the two looks.


def remove(group: str) -> None:
    """Kill what is in the group, then remove it everywhere. Nothing happens where it does not exist."""
    deadline = time.monotonic() + KILL_SECONDS
    while tops := directories(group):
        kill(group)
        for top in tops:
            for directory, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError as error:
                    # Busy for a moment after its last process died, or joined again since the kill.
                    if time.monotonic() > deadline:
                        raise LabError(f"cgroup {directory} cannot be removed: {error.strerror}") from error
        time.sleep(0.01)
