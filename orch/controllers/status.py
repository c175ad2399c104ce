"""How things stand, for people and programs: rows about replicas, services, stacks and nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from orch.controllers.replica import exit_reason
from orch.controllers.service import services_of
from orch.controllers.settle import restart_reason
from orch.controllers.slots import wanted_slots
from orch.model.instant import Instant
from orch.model.node import Container, NodeObservation, NodeSpec, Reachable, Unreachable, capacity_of, node_state
from orch.model.plan import Desired, Refusal
from orch.model.replica import Replica, Slot
from orch.model.resources import Resources, total

ReplicaState = Literal[
    "pending", "starting", "created", "running", "paused", "exited", "removing", "missing", "unknown"
]


class ReplicaStatus(msgspec.Struct, frozen=True):
    """A slot and what fills it. pending: nothing does yet; starting: its image is pulled or its container is made;
    missing: its container is gone; unknown: its node does not answer. `exit_code` is None while it runs or nothing is
    known."""

    stack: str
    service: str
    slot: int
    id: str | None
    node: str | None
    state: ReplicaState
    ready: bool
    addresses: tuple[str, ...]
    image: str
    restarts: int
    reason: str
    started_at: Instant | None
    exit_code: int | None = None

    @property
    def name(self) -> str:
        return str(Slot(self.stack, self.service, self.slot))

    @property
    def alive(self) -> bool:
        """It is there, or as good as: an ended job counts, one whose node does not answer does not."""
        return self.state in {"running", "paused", "exited"}

    @property
    def failed(self) -> bool:
        """It ran to an end that is no success, and nothing will start it again by itself."""
        return self.state == "exited" and self.exit_code != 0


class NodeStatus(msgspec.Struct, frozen=True):
    """What only the node itself knows is None while it does not answer; units are those of Facts."""

    spec: NodeSpec
    state: Literal["ready", "suspect", "unreachable", "unsuitable"]
    capacity: Resources | None
    requested: Resources
    memory_used: int | None
    cpu_used: int | None
    replicas: int
    observed_at: Instant
    podman: str | None
    reason: str
    system: str | None = None
    kernel: str | None = None
    arch: str | None = None
    load: float | None = None
    disk_free: int | None = None
    clock_skew: float | None = None
    clock_error: float | None = None


def replica_statuses(
    desired: Desired, observed: Mapping[str, NodeObservation], refusals: Iterable[Refusal] = ()
) -> list[ReplicaStatus]:
    """One for every slot wanted or still filled, sorted. `refusals`, of a plan from the same look, say why slots are
    pending."""
    services = services_of(desired)
    containers = containers_seen(observed)
    recorded: dict[Slot, list[Replica]] = {}
    for replica in desired.replicas:
        recorded.setdefault(replica.slot, []).append(replica)
    wanted = wanted_slots(services, desired, observed, containers).slots
    refused = {refusal.object: refusal.reason for refusal in refusals}
    rows: list[ReplicaStatus] = []
    for slot in sorted({*wanted, *recorded}):
        service = services.get((slot.stack, slot.service))
        image = service.spec.image if service else ""
        records = recorded.get(slot, [])
        if not records:
            rows.append(_pending(slot, image, refused.get(str(slot), "")))
        for replica in records:
            # One that has been replaced, out of sight, is told of when its node is back.
            if replica is not records[-1] and isinstance(observed.get(replica.node), Unreachable):
                continue
            container = containers.get((replica.node, replica.id))
            rows.append(_filled(replica, image, container, observed.get(replica.node)))
    return rows


def brief_reason(row: ReplicaStatus, observed: Mapping[str, NodeObservation]) -> str:
    """Where what is wrong with a node is told beside the rows, and not again in each."""
    match observed.get(row.node or ""):
        case Unreachable():
            return f"{row.node} does not answer"
        case Reachable(problem=problem) if problem:
            return f"{row.node} cannot be used"
        case _:
            return row.reason


def containers_seen(observed: Mapping[str, NodeObservation]) -> dict[tuple[str, str], Container]:
    """By node and replica."""
    return {
        (node, container.replica): container
        for node, observation in observed.items()
        if isinstance(observation, Reachable) and not observation.problem
        for container in observation.containers
    }


def _pending(slot: Slot, image: str, refused: str) -> ReplicaStatus:
    reason = f"it fits nowhere: {refused}" if refused else "no replica has been started yet"
    return ReplicaStatus(
        slot.stack, slot.service, slot.number, None, None, "pending", False, (), image, 0, reason, None
    )


def _filled(replica: Replica, image: str, container: Container | None, node: NodeObservation | None) -> ReplicaStatus:
    state, reason = _state(replica, container, node)
    return ReplicaStatus(
        stack=replica.slot.stack,
        service=replica.slot.service,
        slot=replica.slot.number,
        id=replica.id,
        node=replica.node,
        state=state,
        ready=state == "running" and container is not None and container.health in {"", "healthy"},
        addresses=container.addresses if container and state == "running" else (),
        image=container.image if container else image,
        restarts=container.restarts if container else 0,
        reason=reason,
        started_at=container.started_at if container else None,
        exit_code=container.exit_code if container and state == "exited" else None,
    )


def _state(replica: Replica, container: Container | None, node: NodeObservation | None) -> tuple[ReplicaState, str]:
    match node:
        case None:
            return "unknown", f"{replica.node} has left the inventory"
        case Unreachable(reason=reason):
            return "unknown", f"{replica.node}: {reason}"
        case Reachable(problem=problem) if problem:
            return "unknown", f"{replica.node}: {problem}"
    assert isinstance(node, Reachable)
    if container is None:
        return "missing", "it has no container; the next apply makes one"
    return container.state, _reason(container, node)


def _reason(container: Container, node: Reachable) -> str:
    match container.state:
        case "starting":
            return "its image is pulled, or its container is made"
        case "exited":
            again = restart_reason(container, node)
            return f"{again}, {exit_reason(container)}" if again else exit_reason(container)
        case "created" if container.started_at is not None:
            # podman sets a container that ran back to this when it first meets it after a boot, and keeps the time.
            return "its host restarted; the next apply starts it again"
        case "created":
            return "its start was broken off; the next apply makes it anew"
        case "running":
            checks = {"starting": "its healthcheck has not passed yet", "unhealthy": "its healthcheck fails"}
            told = (restart_reason(container, node), checks.get(container.health, ""))
            return "; ".join(filter(None, told))
        case _:
            return ""


def node_statuses(desired: Desired, observed: Mapping[str, NodeObservation]) -> list[NodeStatus]:
    """One for every node, in the inventory's order."""
    on_node: dict[str, list[Replica]] = {}
    for replica in desired.replicas:
        on_node.setdefault(replica.node, []).append(replica)
    return [_node_row(node, observed[node.name], on_node.get(node.name, [])) for node in desired.nodes]


def _node_row(node: NodeSpec, observation: NodeObservation, replicas: list[Replica]) -> NodeStatus:
    requested = total([r.request for r in replicas])
    if isinstance(observation, Unreachable):
        return NodeStatus(
            node,
            node_state(observation),
            None,
            requested,
            None,
            None,
            len(replicas),
            observation.at,
            None,
            observation.reason,
        )
    facts = observation.facts
    return NodeStatus(
        spec=node,
        state=node_state(observation),
        capacity=capacity_of(node, observation.facts),
        requested=requested,
        memory_used=facts.memory_used,
        cpu_used=facts.cpu_used,
        replicas=len(replicas),
        observed_at=observation.at,
        podman=facts.podman,
        reason=observation.problem,
        system=facts.system,
        kernel=facts.kernel,
        arch=facts.arch,
        load=facts.load,
        disk_free=facts.disk_free,
        clock_skew=facts.clock_skew,
        clock_error=facts.clock_error,
    )
