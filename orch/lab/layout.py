"""Where a lab's parts are and how they are called. Pure: nothing here touches the machine."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from orch.errors import UsageError

HOME = Path("/var/lib/orch-lab")
"""Namespaces, mounts and cgroups are the machine's, so the folder that lists them is too."""

IMAGES = HOME / "images"
"""One image store for the hosts of all labs, which they mount read-only."""

IMAGE_STORE = "image-store"
"""Under this name, which no lab can have, lies the lock of the image store."""

NETWORK = "198.18.0."
"""The start of every address in a lab: 198.18.0.0/24, set apart by RFC 2544 for tests of networks."""

MASTER_ADDRESS = f"{NETWORK}254"
MAX_HOSTS = 100
USER = "orch"

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,14}[a-z0-9])?")


class LabHost(msgspec.Struct, frozen=True):
    """`millicpus` and `memory` (bytes) are limits; 0 leaves what the machine has."""

    name: str
    number: int
    millicpus: int = 0
    memory: int = 0

    @property
    def address(self) -> str:
        return f"{NETWORK}{self.number}"


class Lab(msgspec.Struct, frozen=True):
    """A lab as it was asked for; written to `manifest` before anything else is made."""

    name: str
    hosts: tuple[LabHost, ...]

    def host(self, name: str) -> LabHost:
        """Raises UsageError for an unknown name."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise UsageError(
            f"lab {self.name} has no host {name}; it has {', '.join(h.name for h in self.hosts) or 'none'}"
        )

    def paths(self) -> LabPaths:
        return LabPaths(self.name)


class LabPaths:
    """Every path and name of one lab, from its name alone. Raises UsageError for a name that cannot be used."""

    def __init__(self, lab: str) -> None:
        if _NAME.fullmatch(lab) is None or lab in {IMAGES.name, IMAGE_STORE}:
            raise UsageError(f"{lab!r} cannot name a lab: use up to 16 of a-z, 0-9 and -, a letter first")
        self.lab = lab
        self.home = HOME / lab
        self.lock = HOME / f"{lab}.lock"
        self.manifest = self.home / "lab.json"
        self.inventory = self.home / "inventory.yml"
        self.known_hosts = self.home / "known_hosts"
        self.key = self.home / "id_ed25519"
        self.disk = self.home / "disk"
        self.cgroup = f"orch-lab/{lab}"
        self.switch = f"orch-{lab}"

    def netns(self, host: str) -> str:
        return f"{self.switch}.{host}"

    def host_cgroup(self, host: str) -> str:
        return f"{self.cgroup}/{host}"

    def super_cgroup(self, host: str) -> str:
        return f"{self.host_cgroup(host)}/super"

    def box_cgroup(self, host: str) -> str:
        return f"{self.host_cgroup(host)}/box"

    def host_home(self, host: str) -> Path:
        return self.home / "hosts" / host

    def containers(self, host: str) -> Path:
        return self.host_home(host) / "containers"

    def console(self, host: str) -> Path:
        return self.host_home(host) / "console.log"

    def pid(self, host: str) -> Path:
        return self.host_home(host) / "pid"

    def root(self, host: str) -> Path:
        """The mount point of the host's root file system; mounted in the host's own namespace alone."""
        return self.host_home(host) / "root"

    def upper(self, host: str) -> Path:
        return self.disk / host / "upper"

    def work(self, host: str) -> Path:
        return self.disk / host / "work"


def plan_lab(name: str, count: int, millicpus: int, memory: int) -> Lab:
    """`count` hosts w1 … wN, all alike."""
    if not 1 <= count <= MAX_HOSTS:
        raise UsageError(f"a lab has 1 to {MAX_HOSTS} hosts, not {count}")
    if memory and memory < 64 << 20:
        raise UsageError("a lab host needs at least 64m of memory")
    hosts = tuple(LabHost(f"w{n}", n, millicpus, memory) for n in range(1, count + 1))
    return Lab(LabPaths(name).lab, hosts)
