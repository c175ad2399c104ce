"""Nodes: what the inventory says of them, and what they said of themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

import msgspec

from orch.model.instant import Instant
from orch.model.replica import Slot
from orch.model.resources import Resources

NodeState = Literal["ready", "suspect", "unreachable", "unsuitable"]
Effect = Literal["NoSchedule", "NoExecute"]

_TAINT_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?"
_TAINT = re.compile(rf"({_TAINT_NAME})(?:=((?:{_TAINT_NAME})?))?:(NoSchedule|NoExecute)")


class Taint(msgspec.Struct, frozen=True, order=True):
    """Keeps off a node whatever does not tolerate it. NoExecute also moves away what runs there already."""

    key: str
    effect: Effect
    value: str = ""

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


def parse_taint(text: str) -> Taint:
    """`gpu=a100:NoSchedule` or `gpu:NoExecute`. Raises ValueError, whose text says what was expected."""
    match = _TAINT.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a taint like KEY=VALUE:NoSchedule or KEY:NoExecute, not {text!r}")
    return Taint(match[1], cast(Effect, match[3]), match[2] or "")


class NodeSpec(msgspec.Struct, frozen=True):
    """One host's part in the cluster, as written. A capacity of 0 means: what the node says it has."""

    name: str
    address: str
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    schedulable: bool = True
    capacity: Resources = Resources()
    reserved: Resources = Resources()
    taints: tuple[Taint, ...] = ()


class Facts(msgspec.Struct, frozen=True):
    """What a node has. `capacity` and `memory_used` respect the limits of the node's own cgroup.

    `cpu_used` (millicores) is None when no time was given to measure it; `clock_skew` is the node's clock
    minus the master's, in seconds, at most `clock_error` wrong; `load` the one-minute load average; `disk_free`
    bytes under /var/lib/containers, None when the node cannot tell; `podman` None when podman is missing.
    """

    capacity: Resources
    memory_used: int = 0
    cpu_used: int | None = None
    load: float = 0.0
    disk_free: int | None = None
    kernel: str = ""
    system: str = ""
    arch: str = ""
    clock_skew: float = 0.0
    clock_error: float = 0.0
    podman: str | None = None


ContainerState = Literal["starting", "created", "running", "paused", "exited", "removing", "unknown"]


class Container(msgspec.Struct, frozen=True):
    """One container of this cluster as its node reports it; the identity comes from its labels.

    starting: what makes it is still under way, and it may have no `id` yet.
    `started_at` is None for one that never started. `health` is what its check last said: starting, healthy,
    unhealthy, or empty where there is no check.
    """

    id: str
    name: str
    replica: str
    slot: Slot
    attempt: int
    spec_hash: str
    image: str
    state: ContainerState
    exit_code: int = 0
    oom_killed: bool = False
    restarts: int = 0
    started_at: Instant | None = None
    addresses: tuple[str, ...] = ()
    health: str = ""


class Reachable(msgspec.Struct, frozen=True, tag="reachable"):
    """The node answered at `at`. `problem` says why it cannot run containers, or is empty. `images` and `volumes` are
    the full names of those that are there, sorted; None when nobody asked."""

    at: Instant
    facts: Facts
    containers: tuple[Container, ...] = ()
    problem: str = ""
    images: tuple[str, ...] | None = None
    volumes: tuple[str, ...] | None = None


class Unreachable(msgspec.Struct, frozen=True, tag="unreachable"):
    """The node did not answer at `at`: nothing is known of its containers. `since` is when it was last heard, where
    somebody listens all the time; `suspect`: it has only gone silent, and is being looked at once more."""

    at: Instant
    reason: str
    since: Instant | None = None
    suspect: bool = False


NodeObservation: TypeAlias = Reachable | Unreachable


def node_state(observation: NodeObservation) -> NodeState:
    match observation:
        case Unreachable(suspect=suspect):
            return "suspect" if suspect else "unreachable"
        case Reachable(problem=problem):
            return "unsuitable" if problem else "ready"


def capacity_of(spec: NodeSpec, facts: Facts) -> Resources:
    """What is written counts over what was seen, each of CPU and memory by itself."""
    return Resources(
        spec.capacity.millicpus or facts.capacity.millicpus,
        spec.capacity.memory or facts.capacity.memory,
    )
