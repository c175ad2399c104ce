"""The checks of `orch doctor`, one function each: what is wrong with a host that let itself be examined. Pure.

What containers cannot run without is an error. What only the network plane uses is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from orch.controllers.finding import Finding, Level, Part
from orch.controllers.packages import Family, enable, install, reload
from orch.model.checkup import Checkup
from orch.model.quantities import show_memory
from orch.podman.version import too_old

LEAST_DISK = 2 << 30
LEAST_DISK_SHARE = 0.1
LEAST_MEMORY = 512 << 20
LEAST_MEMORY_SHARE = 0.05
MOST_SKEW = 2.0
LEAST_SESSIONS = 10
"""sshd's own default: four shells for commands, the watch, and then logs, files and terminals of people."""

_SETTINGS = "/etc/containers/containers.conf.d"


class Patient(msgspec.Struct, frozen=True):
    host: str
    seen: Checkup
    family: Family | None

    def finding(self, level: Level, check: str, message: str, remedy: str, needed_for: Part) -> Finding:
        return Finding(self.host, level, check, message, remedy, needed_for)

    def lacks(self, level: Level, name: str, package: str, needed_for: Part) -> Finding:
        return self.finding(level, name, f"{name} is missing", install(self.family, package), needed_for)


def _podman(patient: Patient) -> Iterator[Finding]:
    """Of several reasons for which podman fails, the first one that a command mends."""
    seen = patient.seen
    if seen.podman is None:
        yield patient.lacks("error", "podman", "podman", "containers")
    elif too_old(seen.podman):
        message = f"podman is {seen.podman}; 4.0 is the first with netavark, the maker of its networks"
        yield patient.finding("error", "podman", message, _upgrade(patient.family), "containers")
    elif not seen.programs & {"crun", "runc"} and seen.podman_info is None:
        yield patient.finding(
            "error", "runtime", "neither crun nor runc is there", install(patient.family, "crun"), "containers"
        )
    elif "netavark" not in seen.programs and (seen.podman_info is None or seen.podman_info.backend == "netavark"):
        yield patient.lacks("error", "netavark", "netavark", "containers")
    elif seen.podman_info is None:
        reason = seen.podman_error or "it does not say why"
        yield patient.finding(
            "error", "podman", f"podman does not work: {reason}", "run `podman info` there; it says more", "containers"
        )


def _upgrade(family: Family | None) -> str:
    match family:
        case "apt":
            return "upgrade to Debian 12, Ubuntu 24.04 or newer: older releases have no newer podman"
        case "dnf":
            return "dnf upgrade -y podman"
        case "apk":
            return "apk upgrade podman, on Alpine 3.16 or newer"
        case _:
            return "upgrade podman with the system's package manager"


def _backend(patient: Patient) -> Iterator[Finding]:
    info = patient.seen.podman_info
    if info is not None and info.backend != "netavark":
        setting = f"printf '[network]\\nnetwork_backend = \"netavark\"\\n' >{_SETTINGS}/90-orch.conf"
        remedy = f"{install(patient.family, 'netavark', 'aardvark-dns')} && mkdir -p {_SETTINGS} && {setting}"
        message = f"podman's networks are made by {info.backend}, which podman 5 gave up"
        yield patient.finding("warning", "backend", message, remedy, "the network")


def _storage(patient: Patient) -> Iterator[Finding]:
    info = patient.seen.podman_info
    if info is not None and info.driver == "vfs":
        yield patient.finding(
            "warning",
            "storage",
            "podman stores with vfs: every container is a whole copy of its image",
            'set driver = "overlay" in /etc/containers/storage.conf; `podman system reset` then begins anew, '
            "without the images and containers of before",
            "containers",
        )


def _tools(patient: Patient) -> Iterator[Finding]:
    for program, package in (("timeout", "coreutils"), ("flock", "util-linux")):
        if program not in patient.seen.programs:
            yield patient.lacks("error", program, package, "containers")


def _packet_filter(patient: Patient) -> Iterator[Finding]:
    programs = patient.seen.programs
    if "iptables" not in programs:
        level: Level = "warning" if "nft" in programs else "error"
        needed_for: Part = "the network" if "nft" in programs else "containers"
        yield patient.lacks(level, "iptables", "iptables", needed_for)


def _network_tools(patient: Patient) -> Iterator[Finding]:
    # Busybox has an `ip` too, which knows neither batches nor most kinds of links; `bridge` comes with the real one.
    if not {"ip", "bridge"} <= patient.seen.programs:
        yield patient.lacks("warning", "iproute2", "iproute2", "the network")
    for name in ("ipset", "conntrack"):
        if name not in patient.seen.programs:
            yield patient.lacks("warning", name, name, "the network")


def _controllers(patient: Patient) -> Iterator[Finding]:
    missing = sorted({"cpu", "memory"} - patient.seen.controllers)
    if not missing:
        return
    remedy = f"boot with cgroup_enable={missing[-1]} on the kernel's command line"
    if patient.family == "apk":
        remedy = enable("apk", "cgroups")
    message = f"the kernel limits no {' and no '.join(missing)}: the cgroup controller is off"
    yield patient.finding("error", "cgroups", message, remedy, "containers")


def _forwarding(patient: Patient) -> Iterator[Finding]:
    if patient.seen.ip_forward is False:
        file = "/etc/sysctl.d/90-orch.conf"
        remedy = f"echo net.ipv4.ip_forward=1 >{file} && sysctl -p {file}"
        yield patient.finding("warning", "ip_forward", "the kernel forwards no packets", remedy, "the network")


def _disk(patient: Patient) -> Iterator[Finding]:
    disk = patient.seen.disk
    if disk is not None and (disk.free < LEAST_DISK or disk.free < disk.size * LEAST_DISK_SHARE):
        message = f"{show_memory(disk.free)} of {show_memory(disk.size)} are free under /var/lib/containers"
        yield patient.finding("warning", "disk", message, "podman image prune --all --force", "containers")


def _memory(patient: Patient) -> Iterator[Finding]:
    size, free = patient.seen.memory, patient.seen.memory - patient.seen.memory_used
    remedy = "ps -eo rss,comm --sort=-rss | head shows what uses it"
    if size < LEAST_MEMORY:
        message = f"{show_memory(size)} of memory are little for a system with containers"
        yield patient.finding("warning", "memory", message, "give it more memory", "containers")
    elif free < size * LEAST_MEMORY_SHARE:
        message = f"{show_memory(max(0, free))} of {show_memory(size)} of memory are free"
        yield patient.finding("warning", "memory", message, remedy, "containers")


def _clock(patient: Patient) -> Iterator[Finding]:
    seen = patient.seen
    if abs(seen.clock_skew) - seen.clock_error > MOST_SKEW:
        side = "ahead of" if seen.clock_skew > 0 else "behind"
        message = f"its clock is {abs(seen.clock_skew):.1f} s {side} this machine's"
        yield patient.finding("warning", "clock", message, _set_clock(patient), "the fleet")
    if not seen.time_service:
        yield patient.finding(
            "warning", "time-service", "nothing keeps its clock right", _keep_clock(patient.family), "the fleet"
        )


def _set_clock(patient: Patient) -> str:
    match patient.seen.time_service:
        case "":
            return f"{_keep_clock(patient.family)} && chronyc makestep"
        case "chronyd":
            return "chronyc makestep"
        case "systemd-timesyn":
            return "systemctl restart systemd-timesyncd"
        case other:
            return f"restart {other}, and see why it does not set the clock"


def _keep_clock(family: Family | None) -> str:
    command = install(family, "chrony")
    # On Debian an installed service is a running one.
    return command if family in {"apt", None} else f"{command} && {enable(family, 'chronyd')}"


def _health_checks(patient: Patient) -> Iterator[Finding]:
    if not patient.seen.systemd:
        yield patient.finding(
            "warning",
            "systemd",
            "there is no systemd, whose timers run podman's health checks",
            "place services that have health checks on other hosts",
            "health checks",
        )


def _sessions(patient: Patient) -> Iterator[Finding]:
    most = patient.seen.max_sessions
    if most is not None and most < LEAST_SESSIONS:
        service = "ssh" if patient.family == "apt" else "sshd"
        # sshd counts what stands first.
        remedy = f"sed -i '1i MaxSessions {LEAST_SESSIONS}' /etc/ssh/sshd_config && {reload(patient.family, service)}"
        message = f"sshd allows {most} sessions in a connection; orch may want {LEAST_SESSIONS}"
        yield patient.finding("hint", "sessions", message, remedy, "everything")


def _surroundings(patient: Patient) -> Iterator[Finding]:
    if patient.seen.firewalld:
        yield patient.finding(
            "hint",
            "firewalld",
            "firewalld runs, and each reload of it wipes the rules of containers",
            "podman network reload --all, after each firewall-cmd --reload",
            "the network",
        )
    if patient.seen.selinux:
        yield patient.finding(
            "hint",
            "selinux",
            "SELinux is enforcing: containers read no folder of the host without a label",
            "write :z behind the volumes of services that mount one",
            "containers",
        )


AILMENTS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    _podman,
    _backend,
    _storage,
    _tools,
    _controllers,
    _packet_filter,
    _network_tools,
    _forwarding,
    _disk,
    _memory,
    _clock,
    _health_checks,
    _sessions,
    _surroundings,
)
