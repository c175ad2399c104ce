"""What a container is made of besides image, command, mounts and ports: keys that podman takes nearly as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from orch.located import Located
from orch.model.container import ContainerOptions, Logging, Ulimit
from orch.stackfile import values
from orch.stackfile.networks import read_network_mode, shared_namespace
from orch.stackfile.reading import Reading

_HOSTNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
"""More than DNS has: the kernel takes it, and `stack_db` is often written."""

_SIGNAL = re.compile(r"(?:SIG)?[A-Z][A-Z0-9]*(?:[+-][0-9]+)?|[0-9]{1,2}", re.IGNORECASE)
_GATEWAY = "host-gateway"
_DEVICE_FORMS = "a device like /dev/ttyUSB0 or /dev/sda:/dev/xvda:r"


def read_options(entries: Mapping[str, Located], pids: int, reading: Reading) -> ContainerOptions:
    """`pids` is read already, of two keys."""
    return ContainerOptions(
        user=_text(entries, "user"),
        group_add=_texts(entries, "group_add"),
        working_dir=_text(entries, "working_dir"),
        hostname=_text(entries, "hostname", _hostname),
        stop_signal=_text(entries, "stop_signal", _signal),
        init=values.optional(entries, "init", values.flag, None),
        read_only=_flag(entries, "read_only"),
        tty=_flag(entries, "tty"),
        stdin_open=_flag(entries, "stdin_open"),
        privileged=_flag(entries, "privileged"),
        cap_add=_texts(entries, "cap_add"),
        cap_drop=_texts(entries, "cap_drop"),
        security_opt=_texts(entries, "security_opt"),
        devices=_devices(entries),
        device_cgroup_rules=_texts(entries, "device_cgroup_rules"),
        sysctls=values.optional(entries, "sysctls", values.pairs, {}),
        ulimits=values.optional(entries, "ulimits", _ulimits, ()),
        extra_hosts=values.optional(entries, "extra_hosts", _hosts, ()),
        dns=_texts(entries, "dns"),
        dns_search=_texts(entries, "dns_search"),
        dns_options=_texts(entries, "dns_opt"),
        network_mode=_text(entries, "network_mode", lambda place: read_network_mode(place, reading)),
        ipc=_text(entries, "ipc", lambda place: _namespace(place, reading)),
        pid=_text(entries, "pid", lambda place: _namespace(place, reading)),
        uts=_text(entries, "uts"),
        userns=_text(entries, "userns_mode"),
        cgroup=_text(entries, "cgroup", values.one_of("host", "private")),
        shm_size=values.optional(entries, "shm_size", values.size, 0),
        memory_swap=values.optional(entries, "memswap_limit", values.size_or_unlimited, 0),
        pids_limit=pids,
        cpuset=_text(entries, "cpuset"),
        oom_kill_disable=_flag(entries, "oom_kill_disable"),
        oom_score_adj=values.optional(entries, "oom_score_adj", values.whole(-1000, 1000), 0),
        platform=_text(entries, "platform"),
        runtime=_text(entries, "runtime"),
        logging=values.optional(entries, "logging", _logging, Logging()),
        annotations=values.optional(entries, "annotations", values.pairs, {}),
    )


def _text(entries: Mapping[str, Located], key: str, read: Callable[[Located], str] = values.text) -> str:
    return values.optional(entries, key, read, "")


def _texts(entries: Mapping[str, Located], key: str) -> tuple[str, ...]:
    return values.optional(entries, key, values.texts, ())


def _flag(entries: Mapping[str, Located], key: str) -> bool:
    return values.optional(entries, key, values.flag, False)


def _namespace(place: Located, reading: Reading) -> str:
    return "" if shared_namespace(place, reading) else place.string()


def _hostname(place: Located) -> str:
    if _HOSTNAME.fullmatch(place.string()) is None:
        place.expected("a host name of letters, digits, _ - and ., 64 at most")
    return place.string()


def _signal(place: Located) -> str:
    if _SIGNAL.fullmatch(place.string()) is None:
        place.expected("a signal like SIGTERM or 15")
    return place.string()


def _devices(entries: Mapping[str, Located]) -> tuple[str, ...]:
    """As podman has them, `SOURCE:TARGET:PERMISSIONS`. Of one target, the entry that stands last counts."""
    found: dict[str, str] = {}
    for place in values.items(entries, "devices"):
        if isinstance(place.value, dict):
            target, written = _long_device(place)
        else:
            written = place.string()
            parts = written.split(":")
            if not parts[0]:
                place.expected(_DEVICE_FORMS)
            target = parts[1] if len(parts) > 1 and parts[1].startswith("/") else parts[0]
        found[target] = written
    return tuple(found.values())


def _long_device(place: Located) -> tuple[str, str]:
    entries = place.mapping()
    if "source" not in entries:
        place.fail("expected source: PATH, the device on the node")
    source = entries["source"].string()
    target = values.optional(entries, "target", values.text, source)
    permissions = values.optional(entries, "permissions", values.text, "rwm")
    if not (source.startswith("/") and target.startswith("/")) or ":" in source + target:
        place.fail("expected paths of devices, like source: /dev/ttyUSB0")
    if re.fullmatch("[rwm]{1,3}", permissions) is None:
        entries["permissions"].expected("permissions of the letters r, w and m")
    return target, f"{source}:{target}:{permissions}"


def _ulimits(place: Located) -> tuple[Ulimit, ...]:
    limit = values.whole(-1)
    found = []
    for name, entry in sorted(place.mapping().items()):
        if re.fullmatch("[a-z]+", name) is None:
            entry.fail("a limit's name is made of letters a to z, like nofile")
        if isinstance(entry.value, dict):
            entries = entry.mapping()
            if "soft" not in entries or "hard" not in entries:
                entry.fail("expected both, soft: N and hard: N")
            soft, hard = limit(entries["soft"]), limit(entries["hard"])
        else:
            soft = hard = limit(entry)
        if hard != -1 and not 0 <= soft <= hard:
            entry.fail("its soft limit is above its hard one")
        found.append(Ulimit(name, soft, hard))
    return tuple(found)


def _hosts(place: Located) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    for item in place.items():
        if item.value is None:
            continue
        match = re.fullmatch(r"([^=:\s]+)\s*[=:]\s*(\S+)", item.string())
        if match is None:
            item.expected("NAME=ADDRESS, like db=10.0.0.5")
        address = match[2][1:-1] if match[2].startswith("[") and match[2].endswith("]") else match[2]
        if address != _GATEWAY:
            try:
                address = str(ip_address(address))
            except ValueError:
                item.fail(f"expected an address or {_GATEWAY} after the name, not {address[:60]!r}")
        found[match[1], address] = None
    return tuple(found)


def _logging(place: Located) -> Logging:
    entries = place.mapping()
    return Logging(
        values.optional(entries, "driver", values.text, ""), values.optional(entries, "options", values.pairs, {})
    )
