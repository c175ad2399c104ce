"""What an examined host told of itself, or why it told nothing."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class Disk(msgspec.Struct, frozen=True):
    """Bytes of the file system under /var/lib/containers."""

    size: int
    free: int


class PodmanInfo(msgspec.Struct, frozen=True):
    """What podman says it works with."""

    driver: str
    backend: str
    runtime: str


class Checkup(msgspec.Struct, frozen=True):
    """`user`, `uid`: who examined; `sudo_error`: why sudo does not make that one root. `os`: ID of os-release, then
    its ID_LIKE. `programs`: those found of all that were looked for, `netavark` and a `timeout` that works as it
    should among them. `podman` is the version, None when it is missing; `podman_error` what it fails with. Elsewhere
    None means: the host could not tell."""

    user: str
    uid: int
    sudo_error: str = ""
    os: tuple[str, ...] = ()
    system: str = ""
    ostree: bool = False
    systemd: bool = False
    hostname: str = ""
    machine_id: str = ""
    boot_id: str = ""
    programs: frozenset[str] = frozenset()
    controllers: frozenset[str] = frozenset()
    podman: str | None = None
    podman_info: PodmanInfo | None = None
    podman_error: str = ""
    disk: Disk | None = None
    memory: int = 0
    memory_used: int = 0
    ip_forward: bool | None = None
    clock_skew: float = 0.0
    clock_error: float = 0.0
    time_service: str = ""
    max_sessions: int | None = None
    selinux: bool = False
    firewalld: bool = False


class Unexamined(msgspec.Struct, frozen=True):
    """The host was not examined. `check` is how far it let us come, `reason` what stopped it.

    `unprivileged` is what it tells a user without root, where that much was allowed.
    """

    check: Literal["reachable", "login", "host key", "shell", "root"]
    reason: str
    unprivileged: Checkup | None = None


Examination: TypeAlias = Checkup | Unexamined
