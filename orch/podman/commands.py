"""Commands that change something on a node."""

from __future__ import annotations

import json

from orch.model.command import Argv, Command
from orch.model.quantities import format_cpus
from orch.model.replica import Replica, Slot
from orch.model.spec import RestartPolicy, ServiceSpec
from orch.podman.files import file_path
from orch.podman.labels import labels_of
from orch.podman.options import file_words, option_words
from orch.podman.within import within

RUN_SECONDS = 300
"""A start may pull its image first; podman's own pulls give up later than anyone waits."""

REMOVE_SECONDS = 30
"""Beyond the service's grace."""

_FRUGAL = {"GOGC": "400"}
"""Go collects garbage less often: podman and runc, which live a moment each, take 7 % less CPU for a start (seven
rounds of 40 starts, four at once) and a few tens of megabytes more while they run. Containers do not see it."""

LOOK_SECONDS = 10
LOG_LINES = 5

_LONGEST_LINE = 64 << 10
_CPU_SHARES = 1024  # Of one core, to the kernel; only the ratio between containers counts.


def run(cluster: str, replica: Replica, spec: ServiceSpec, *, seconds: int = RUN_SECONDS) -> Command:
    """Make and start the replica's container. The values of its environment may be secret, so no word has them; the
    files of its configs and secrets must be there already."""
    lines = {k: v for k, v in sorted(spec.environment.items()) if fits_env_file(k, v)}
    # What such a file cannot hold, podman takes from its own environment.
    exported = {k: v for k, v in sorted(spec.environment.items()) if k not in lines}
    argv = (
        "podman", *(("--runtime", spec.options.runtime) if spec.options.runtime else ()), "run", "--detach",
        "--name", replica.container,
        *_hostname(replica.slot, spec),
        *option_words(spec),
        # After the user's own: none of them may take the place of ours.
        *(word for key, value in labels_of(cluster, replica).items() for word in ("--label", f"{key}={value}")),
        *_resources(spec),
        "--restart", _restart(spec.restart),
        "--stop-timeout", str(spec.stop_grace),
        *(
            word
            for number, mount in enumerate(spec.files)
            for word in file_words(file_path(cluster, replica, number), mount.target)
        ),
        *(("--env-file", "/dev/stdin") if lines else ()),
        *(word for key in exported for word in ("--env", key)),
        *(("--entrypoint", json.dumps(spec.entrypoint)) if spec.entrypoint is not None else ()),
        "--", spec.image, *(spec.command or ()),
    )  # fmt: skip
    file = "".join(f"{key}={value}\n" for key, value in lines.items())
    return Command(within(seconds, argv), file, _FRUGAL | exported)


def remove(container: str, grace: int) -> Command:
    """Stop and remove a container and its anonymous volumes; one that is gone already counts as removed."""
    argv = ("podman", "rm", "--force", "--ignore", "--volumes", "--time", str(grace), "--", container)
    return Command(within(grace + REMOVE_SECONDS, argv), environment=_FRUGAL)


def name_is_taken_in_storage(complaint: str) -> bool:
    """Whether `run` failed over what a power cut in the middle of an earlier start left behind."""
    return "creating container storage" in complaint and "is already in use" in complaint


def remove_leftover(container: str) -> Command:
    """Remove a container of which podman has the storage alone: no list but `--external` shows it, and `run` trips
    over its name. One that another program keeps there has another state, and one that podman knows is not listed."""
    script = (
        """[ "$(podman ps --all --external --filter "name=^$1\\$" --format '{{.Status}}')" = Storage ] """
        """&& exec podman rm --force --ignore -- "$1" """
    )
    return Command(within(REMOVE_SECONDS, ("sh", "-c", script.strip(), "sh", container)), environment=_FRUGAL)


def fits_env_file(key: str, value: str) -> bool:
    """Whether podman reads the line `key=value` of an environment file as it was written.

    It reads with Go's bufio.Scanner: lines of less than 64 KiB, a carriage return at the end dropped.
    """
    return "\n" not in value and not value.endswith("\r") and len(f"{key}={value}".encode()) < _LONGEST_LINE


def hostname(slot: Slot) -> str:
    """What the container calls itself: `web-3`. The kernel takes 64 characters; the number is kept whole."""
    return f"{slot.service[: 63 - len(str(slot.number))]}-{slot.number}"


def last_output(container: str) -> Command:
    """The last lines that a container printed on either stream, in the order in which it did."""
    script = f'exec podman logs --tail {LOG_LINES} -- "$1" 2>&1'
    return Command(within(LOOK_SECONDS, ("sh", "-c", script, "sh", container)))


def last_check(container: str) -> Command:
    """What the container's own check printed the last time, as JSON."""
    form = "{{range .State.Health.Log}}{{json .Output}}\n{{end}}"
    return Command(within(LOOK_SECONDS, ("podman", "container", "inspect", "--format", form, "--", container)))


def _hostname(slot: Slot, spec: ServiceSpec) -> Argv:
    """podman refuses to name what has the node's own name."""
    return () if spec.options.uts == "host" else ("--hostname", spec.options.hostname or hostname(slot))


def _resources(spec: ServiceSpec) -> Argv:
    words: list[str] = []
    if spec.request.millicpus:
        words += ["--cpu-shares", str(max(2, spec.request.millicpus * _CPU_SHARES // 1000))]
    if spec.request.memory:
        words += ["--memory-reservation", str(spec.request.memory)]
    if spec.limit.millicpus:
        words += ["--cpus", format_cpus(spec.limit.millicpus)]
    if spec.limit.memory:
        words += ["--memory", str(spec.limit.memory)]
    return tuple(words)


def _restart(policy: RestartPolicy) -> str:
    if policy.condition == "on-failure" and policy.attempts:
        return f"on-failure:{policy.attempts}"
    return policy.condition
