"""The words of `podman run` for all that a container may be given besides its image and its command. Pure.

What is not said becomes no word, so that podman does what it does by itself.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable

from orch.model.command import Argv
from orch.model.container import (
    BindMount,
    ContainerOptions,
    Healthcheck,
    Logging,
    Mount,
    Port,
    TmpfsMount,
    VolumeMount,
)
from orch.model.spec import ServiceSpec

_RELABEL = {"z": "shared", "Z": "private"}


def option_words(spec: ServiceSpec) -> Argv:
    return (
        *(() if spec.pull == "missing" else ("--pull", spec.pull)),
        *_each("--label", (f"{key}={value}" for key, value in sorted(spec.labels.items()))),
        *(word for mount in spec.mounts for word in _mount(mount)),
        *_each("--publish", (published(port) for port in spec.ports if port.mode == "host")),
        *(_healthcheck(spec.healthcheck) if spec.healthcheck is not None else ()),
        *_process(spec.options),
        *_rights(spec.options),
        *_kernel(spec.options),
        *_names(spec.options),
        *_limits(spec.options),
        *_logging(spec.options.logging),
        *_each("--annotation", (f"{key}={value}" for key, value in sorted(spec.options.annotations.items()))),
    )


def file_words(path: str, target: str) -> Argv:
    """The file `path` of the node at `target`, read-only and for this container alone."""
    told = ["type=bind", f"source={path}", f"destination={target}", "ro=true", "relabel=private"]
    return ("--mount", _csv(told))


def published(port: Port) -> str:
    """`127.0.0.1:8080:80/tcp`; without a published port podman takes one that is free."""
    address = f"[{port.address}]" if ":" in port.address else port.address
    outside = str(port.published) if port.published else ""
    parts = [address, outside] if address else [outside] if outside else []
    return ":".join([*parts, f"{port.target}/{port.protocol}"])


def _mount(mount: Mount) -> Argv:
    match mount:
        case VolumeMount(volume=volume, copy=False) if volume and not mount.subpath:
            # Only the short form knows `nocopy`.
            read_only = "ro," if mount.read_only else ""
            return ("--volume", f"{volume}:{mount.target}:{read_only}nocopy")
        case VolumeMount():
            told = ["type=volume", *([f"source={mount.volume}"] if mount.volume else ())]
            told += [f"destination={mount.target}", *(["ro=true"] if mount.read_only else ())]
            return ("--mount", _csv([*told, *([f"subpath={mount.subpath}"] if mount.subpath else ())]))
        case BindMount():
            told = ["type=bind", f"source={mount.source}", f"destination={mount.target}"]
            told += ["ro=true"] if mount.read_only else []
            told += [f"bind-propagation={mount.propagation}"] if mount.propagation else []
            return ("--mount", _csv([*told, *([f"relabel={_RELABEL[mount.selinux]}"] if mount.selinux else ())]))
        case TmpfsMount():
            options = [*([f"size={mount.size}"] if mount.size else ())]
            options += [f"mode={mount.mode:o}"] if mount.mode is not None else []
            told = [*options, *mount.options]
            return ("--tmpfs", f"{mount.target}:{','.join(told)}" if told else mount.target)


def _csv(fields: Iterable[str]) -> str:
    """One record as podman's reader of `--mount` takes it, whatever the paths contain."""
    return ",".join('"' + f.replace('"', '""') + '"' if set(f) & set(',"\n') else f for f in fields)


def _healthcheck(check: Healthcheck) -> Argv:
    if check.disabled:
        return ("--no-healthcheck",)
    times = {"interval": check.interval, "timeout": check.timeout, "start-period": check.start_period}
    return (
        *(("--health-cmd", _check_command(check.test)) if check.test else ()),
        *(word for name, value in times.items() if value is not None for word in (f"--health-{name}", f"{value:g}s")),
        *(("--health-retries", str(check.retries)) if check.retries is not None else ()),
    )


def _check_command(test: tuple[str, ...]) -> str:
    """podman takes a list for what is to be run as it is, but only of two words or more; one alone goes to a shell."""
    kind, *words = test
    if kind == "CMD" and len(words) > 1:
        return json.dumps(words)
    return json.dumps(["CMD-SHELL", shlex.join(words) if kind == "CMD" else " ".join(words)])


def _process(options: ContainerOptions) -> Argv:
    return (
        *_one("--user", options.user),
        *_each("--group-add", options.group_add),
        *_one("--workdir", options.working_dir),
        *_one("--stop-signal", options.stop_signal),
        *(() if options.init is None else ("--init",) if options.init else ("--init=false",)),
        # By itself podman would leave /tmp and others writable, which Compose does not mean.
        *(("--read-only", "--read-only-tmpfs=false") if options.read_only else ()),
        *(("--tty",) if options.tty else ()),
        *(("--interactive",) if options.stdin_open else ()),
    )


def _rights(options: ContainerOptions) -> Argv:
    return (
        *(("--privileged",) if options.privileged else ()),
        *_each("--cap-add", options.cap_add),
        *_each("--cap-drop", options.cap_drop),
        *_each("--security-opt", options.security_opt),
        *_each("--device", options.devices),
        *_each("--device-cgroup-rule", options.device_cgroup_rules),
    )


def _kernel(options: ContainerOptions) -> Argv:
    return (
        *_each("--sysctl", (f"{key}={value}" for key, value in sorted(options.sysctls.items()))),
        *_each("--ulimit", (f"{limit.name}={limit.soft}:{limit.hard}" for limit in options.ulimits)),
        *_one("--network", options.network_mode),
        *_one("--ipc", options.ipc),
        *_one("--pid", options.pid),
        *_one("--uts", options.uts),
        *_one("--userns", options.userns),
        *_one("--cgroupns", options.cgroup),
        *_one("--platform", options.platform),
    )


def _names(options: ContainerOptions) -> Argv:
    return (
        *_each("--add-host", (f"{name}:{address}" for name, address in options.extra_hosts)),
        *_each("--dns", options.dns),
        *_each("--dns-search", options.dns_search),
        *_each("--dns-option", options.dns_options),
    )


def _limits(options: ContainerOptions) -> Argv:
    return (
        *(("--shm-size", f"{options.shm_size}b") if options.shm_size else ()),
        *(("--memory-swap", str(options.memory_swap)) if options.memory_swap else ()),
        *(("--pids-limit", str(options.pids_limit)) if options.pids_limit else ()),
        *_one("--cpuset-cpus", options.cpuset),
        *(("--oom-kill-disable",) if options.oom_kill_disable else ()),
        *(("--oom-score-adj", str(options.oom_score_adj)) if options.oom_score_adj else ()),
    )


def _logging(logging: Logging) -> Argv:
    return (
        *_one("--log-driver", logging.driver),
        *_each("--log-opt", (f"{key}={value}" for key, value in sorted(logging.options.items()))),
    )


def _one(flag: str, value: str) -> Argv:
    return (flag, value) if value else ()


def _each(flag: str, values: Iterable[str]) -> Argv:
    return tuple(word for value in values for word in (flag, value))
