"""Starting one host: the call of boot.sh."""

from __future__ import annotations

from pathlib import Path

from orch.lab import cgroups, layout
from orch.lab.cgroups import Hierarchy
from orch.lab.layout import LabHost, LabPaths
from orch.lab.machine import Machine

_SCRIPT = Path(__file__).with_name("boot.sh")


def boot(machine: Machine, paths: LabPaths, host: LabHost) -> None:
    """Start the host's systemd; returns at once. Its namespace must exist, its disk be seeded."""
    supervisor = cgroups.create(paths.super_cgroup(host.name))
    box = cgroups.create(paths.box_cgroup(host.name), host.millicpus, host.memory)
    for folder in (paths.root(host.name), paths.containers(host.name), layout.IMAGES):
        folder.mkdir(parents=True, exist_ok=True)
    machine.spawn(
        _SCRIPT,
        "outer",
        output=paths.console(host.name),
        env={
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SUPER": " ".join(map(str, supervisor)),
            "BOX": " ".join(map(str, box)),
            "NETNS": f"/run/netns/{paths.netns(host.name)}",
            "PID_FILE": str(paths.pid(host.name)),
            "ROOT": str(paths.root(host.name)),
            "UPPER": str(paths.upper(host.name)),
            "WORK": str(paths.work(host.name)),
            "CONTAINERS": str(paths.containers(host.name)),
            "IMAGES": str(layout.IMAGES),
            "CGROUP_MOUNTS": " ".join(map(_mount_word, cgroups.hierarchies())).strip(),
        },
    )


def _mount_word(hierarchy: Hierarchy) -> str:
    """`cpu,cpuacct=cpu,cpuacct`, `systemd=none,name=systemd`; empty for version 2."""
    if hierarchy.is_version_2:
        return ""
    return f"{hierarchy.options.removeprefix('none,name=')}={hierarchy.options}"
