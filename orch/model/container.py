"""What a container is made of besides its image and its command: what podman is told, kept as written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Protocol = Literal["tcp", "udp", "sctp"]


class VolumeMount(msgspec.Struct, frozen=True, tag="volume"):
    """`volume` is what podman calls it; empty for an anonymous one, which goes with its container. `copy`: a new volume
    begins with what the image has there."""

    target: str
    volume: str = ""
    read_only: bool = False
    copy: bool = True
    subpath: str = ""


class BindMount(msgspec.Struct, frozen=True, tag="bind"):
    """`source`: an absolute path on the node. `create`: make a folder there when there is nothing. `selinux`: z, Z or
    empty."""

    target: str
    source: str
    read_only: bool = False
    create: bool = True
    propagation: str = ""
    selinux: str = ""


class TmpfsMount(msgspec.Struct, frozen=True, tag="tmpfs"):
    """`size` in bytes, 0 for the kernel's default; `mode` None for 1777; `options` as mount(8) has them."""

    target: str
    size: int = 0
    mode: int | None = None
    options: tuple[str, ...] = ()


Mount: TypeAlias = VolumeMount | BindMount | TmpfsMount


FileKind = Literal["config", "secret"]


class FileMount(msgspec.Struct, frozen=True):
    """A config or secret in a container, read-only. `source` is its key among the stack's files of that kind; `digest`,
    the SHA-256 of its content in hex, makes another content another container."""

    source: str
    target: str
    digest: str
    uid: int = 0
    gid: int = 0
    mode: int = 0o444
    kind: FileKind = "config"


class Port(msgspec.Struct, frozen=True, order=True):
    """`host`: `published` is opened on the replica's own node, at `address` (empty: all of them). `ingress`: on every
    node. `published` of 0: any."""

    target: int
    published: int = 0
    protocol: Protocol = "tcp"
    mode: Literal["ingress", "host"] = "ingress"
    address: str = ""


class NetworkUse(msgspec.Struct, frozen=True):
    """A service's place in a network, by the network's name in the fleet. An empty `address` is for orch to choose."""

    network: str
    aliases: tuple[str, ...] = ()
    address: str = ""


class Healthcheck(msgspec.Struct, frozen=True):
    """`test` as Compose has it: its first word is CMD, CMD-SHELL or NONE; empty: the image's own. Times in seconds;
    None: podman's default."""

    test: tuple[str, ...] = ()
    interval: float | None = None
    timeout: float | None = None
    retries: int | None = None
    start_period: float | None = None
    start_interval: float | None = None

    @property
    def disabled(self) -> bool:
        return self.test[:1] == ("NONE",)


class Logging(msgspec.Struct, frozen=True):
    """`driver` empty: podman's default."""

    driver: str = ""
    options: Mapping[str, str] = msgspec.field(default_factory=dict)


class Ulimit(msgspec.Struct, frozen=True, order=True):
    """-1 means without limit."""

    name: str
    soft: int
    hard: int


class ContainerOptions(msgspec.Struct, frozen=True):
    """The rest, each as Compose and podman have it. Empty text, an empty tuple and None mean what podman does by
    itself; `shm_size`, `memory_swap` are bytes; -1 of `pids_limit` or `memory_swap` means without limit."""

    user: str = ""
    group_add: tuple[str, ...] = ()
    working_dir: str = ""
    hostname: str = ""
    stop_signal: str = ""
    init: bool | None = None
    read_only: bool = False
    tty: bool = False
    stdin_open: bool = False
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = msgspec.field(default_factory=dict)
    ulimits: tuple[Ulimit, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    network_mode: str = ""
    ipc: str = ""
    pid: str = ""
    uts: str = ""
    userns: str = ""
    cgroup: str = ""
    shm_size: int = 0
    memory_swap: int = 0
    pids_limit: int = 0
    cpuset: str = ""
    oom_kill_disable: bool = False
    oom_score_adj: int = 0
    platform: str = ""
    runtime: str = ""
    logging: Logging = Logging()
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
