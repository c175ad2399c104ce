"""A ServiceSpec as the entries of a Compose service, each key left out that would say what is so anyway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias, assert_never

import msgspec

from orch.model.container import (
    BindMount,
    ContainerOptions,
    FileMount,
    Healthcheck,
    Mount,
    NetworkUse,
    Port,
    TmpfsMount,
    VolumeMount,
)
from orch.model.placement import PlacementPolicy
from orch.model.quantities import format_cpus, format_memory
from orch.model.resources import Resources
from orch.model.rollout import UpdatePolicy
from orch.model.spec import RestartPolicy, ServiceSpec

Entries: TypeAlias = dict[str, Any]

_OPTIONS = {"dns_options": "dns_opt", "userns": "userns_mode", "memory_swap": "memswap_limit"}
"""Fields of ContainerOptions that Compose calls otherwise."""

_CONDITIONS = {"no": "none", "always": "any"}


def render_service(service: ServiceSpec, keys: Mapping[tuple[str, str], str]) -> Entries:
    """`keys`: of volumes and networks, by kind and name."""
    usual = ServiceSpec("", "")
    entries: Entries = {
        "image": service.image,
        "command": _words(service.command),
        "entrypoint": _words(service.entrypoint),
        "environment": dict(service.environment),
        "stop_grace_period": f"{service.stop_grace}s" if service.stop_grace != usual.stop_grace else None,
        "pull_policy": service.pull if service.pull != usual.pull else None,
        "labels": dict(service.labels),
        "volumes": [_mount(m, keys) for m in service.mounts if not _needs_options(m)],
        "tmpfs": [_tmpfs(m) for m in service.mounts if isinstance(m, TmpfsMount) and _needs_options(m)],
        "ports": [_port(port) for port in service.ports],
        "networks": {keys["network", use.network]: _network_use(use) for use in service.networks},
        "healthcheck": _healthcheck(service.healthcheck),
        "deploy": _deploy(service),
        "depends_on": {
            d.service: {"condition": d.condition, "restart": d.restart, "required": d.required}
            for d in service.depends_on
        },
        "x-orch": _ours(service.placement),
        **_options(service.options),
    }
    if not (service.restart_delay or service.restart_window):
        entries["restart"] = _restart(service.restart)
    for kind in ("config", "secret"):
        entries[f"{kind}s"] = [_file(file) for file in service.files if file.kind == kind]
    return _told(entries, keep=("command", "entrypoint", "healthcheck"))


def _told(entries: Entries, keep: Iterable[str] = ()) -> Entries:
    """Without what is None or empty; `keep`: where empty is something else than missing."""
    return {k: v for k, v in entries.items() if v is not None and (v not in ("", [], {}) or k in keep)}


def _words(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def seconds(value: float) -> str:
    """As `values.seconds` reads it back, to the last digit."""
    return f"{Decimal(repr(value)):f}s".replace(".0s", "s")


def octal(mode: int) -> str:
    return f"{mode:04o}"


def _mount(mount: Mount, keys: Mapping[tuple[str, str], str]) -> Entries:
    match mount:
        case VolumeMount():
            volume = _told({"nocopy": None if mount.copy else True, "subpath": mount.subpath})
            source = keys["volume", mount.volume] if mount.volume else None
            entries = {"type": "volume", "source": source, "volume": volume, "read_only": mount.read_only or None}
        case BindMount():
            bind = {
                "create_host_path": mount.create,
                "propagation": mount.propagation,
                "selinux": mount.selinux,
            }
            entries = {
                "type": "bind",
                "source": mount.source,
                "bind": _told(bind),
                "read_only": mount.read_only or None,
            }
        case TmpfsMount():
            size = f"{mount.size}b" if mount.size else None
            mode = None if mount.mode is None else octal(mount.mode)
            entries = {"type": "tmpfs", "tmpfs": _told({"size": size, "mode": mode})}
        case other:
            assert_never(other)
    return _told({**entries, "target": mount.target})


def _needs_options(mount: Mount) -> bool:
    """The long form has no place for what mount(8) is told besides."""
    return isinstance(mount, TmpfsMount) and bool(mount.options)


def _tmpfs(mount: TmpfsMount) -> str:
    size = [f"size={mount.size}b"] if mount.size else []
    mode = [] if mount.mode is None else [f"mode={octal(mount.mode)}"]
    return f"{mount.target}:{','.join([*size, *mode, *mount.options])}"


def _file(file: FileMount) -> Entries:
    return {
        "source": file.source,
        "target": file.target,
        "uid": str(file.uid),
        "gid": str(file.gid),
        "mode": octal(file.mode),
    }


def _port(port: Port) -> Entries:
    return _told(
        {
            "target": port.target,
            "published": str(port.published) if port.published else None,
            "protocol": port.protocol,
            "mode": port.mode,
            "host_ip": port.address,
        }
    )


def _network_use(use: NetworkUse) -> Entries | None:
    key = "ipv6_address" if ":" in use.address else "ipv4_address"
    return _told({"aliases": list(use.aliases), key: use.address}) or None


def _healthcheck(check: Healthcheck | None) -> Entries | None:
    if check is None:
        return None
    if check.disabled:
        return {"disable": True}
    times = {
        name: None if (value := getattr(check, name)) is None else seconds(value)
        for name in ("interval", "timeout", "start_period", "start_interval")
    }
    return _told({"test": list(check.test), "retries": check.retries, **times})


def _deploy(service: ServiceSpec) -> Entries:
    usual = ServiceSpec("", "")
    placement = service.placement
    policy = None
    if service.restart_delay or service.restart_window:
        policy = _told(
            {
                "condition": _CONDITIONS.get(service.restart.condition, service.restart.condition),
                "max_attempts": service.restart.attempts or None,
                "delay": seconds(service.restart_delay) if service.restart_delay else None,
                "window": seconds(service.restart_window) if service.restart_window else None,
            }
        )
    return _told(
        {
            "mode": service.mode if service.mode != usual.mode else None,
            "replicas": None if service.mode.startswith("global") else service.replicas,
            "labels": dict(service.service_labels),
            "resources": _told(
                {"limits": _resources(service.limit), "reservations": _resources(service.request)},
            ),
            "placement": _told(
                {
                    "constraints": [str(constraint) for constraint in placement.constraints],
                    "preferences": [{"spread": attribute} for attribute in placement.spread],
                    "max_replicas_per_node": placement.max_per_node or None,
                }
            ),
            "restart_policy": policy,
            "update_config": _update(service.update),
            "rollback_config": _update(service.rollback),
        }
    )


def _resources(resources: Resources) -> Entries:
    return _told(
        {
            "cpus": format_cpus(resources.millicpus) if resources.millicpus else None,
            "memory": format_memory(resources.memory) if resources.memory else None,
        }
    )


def _restart(policy: RestartPolicy) -> str | None:
    if policy == RestartPolicy():
        return None
    return f"{policy.condition}:{policy.attempts}" if policy.attempts else policy.condition


def _update(policy: UpdatePolicy) -> Entries | None:
    if policy == UpdatePolicy():
        return None
    return {
        "parallelism": policy.parallelism,
        "delay": seconds(policy.delay),
        "failure_action": policy.failure_action,
        "monitor": seconds(policy.monitor),
        "max_failure_ratio": f"{Decimal(repr(policy.max_failure_ratio)):f}",
        "order": policy.order,
    }


def _ours(placement: PlacementPolicy) -> Entries:
    tolerations = [_told({"key": t.key, "value": t.value, "effect": t.effect}) for t in placement.tolerations]
    return _told({"tolerations": tolerations})


def _options(options: ContainerOptions) -> Entries:
    entries: Entries = {}
    for field in msgspec.structs.fields(ContainerOptions):
        value = getattr(options, field.name)
        if value == getattr(ContainerOptions(), field.name):
            continue
        key = _OPTIONS.get(field.name, field.name)
        match field.name:
            case "ulimits":
                entries[key] = {limit.name: {"soft": limit.soft, "hard": limit.hard} for limit in value}
            case "extra_hosts":
                entries[key] = [f"{host}={address}" for host, address in value]
            case "logging":
                entries[key] = _told({"driver": value.driver, "options": dict(value.options)})
            case "shm_size" | "memory_swap":
                entries[key] = format_memory(value) if value >= 0 else value
            case _:
                entries[key] = list(value) if isinstance(value, tuple) else value
    return entries
