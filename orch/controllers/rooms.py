"""What each node has left: its capacity, less what is reserved, less what replicas were placed with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from orch.model.node import NodeObservation, NodeSpec, Reachable, Unreachable, capacity_of
from orch.model.replica import Replica
from orch.model.resources import Resources
from orch.scheduler.claim import Room


def rooms(
    nodes: Sequence[NodeSpec],
    observed: Mapping[str, NodeObservation],
    holding: Iterable[Replica],
    images: Set[str] = frozenset(),
) -> list[Room]:
    """`holding`: the replicas that keep their places. `images`: those about which it matters where they are."""
    on_node: dict[str, list[Replica]] = {node.name: [] for node in nodes}
    for replica in holding:
        if replica.node in on_node:
            on_node[replica.node].append(replica)
    return [_room(node, observed[node.name], on_node[node.name], images) for node in nodes]


def _room(node: NodeSpec, observation: NodeObservation, replicas: Sequence[Replica], images: Set[str]) -> Room:
    services = dict(Counter((r.slot.stack, r.slot.service) for r in replicas))
    ports = tuple((port, str(r.slot)) for r in replicas for port in r.ports)
    if isinstance(observation, Unreachable):
        return Room(node.name, Resources(), Resources(), services, "unreachable", attributes_of(node, None))
    allocatable = allocatable_of(node, observation)
    return Room(
        node.name,
        allocatable,
        Resources(
            allocatable.millicpus - sum(r.request.millicpus for r in replicas),
            allocatable.memory - sum(r.request.memory for r in replicas),
        ),
        services,
        closed_for(node, observation),
        attributes_of(node, observation),
        node.taints,
        ports,
        frozenset(images & set(observation.images or ())),
        None if observation.volumes is None else frozenset(observation.volumes),
    )


def allocatable_of(node: NodeSpec, observation: Reachable) -> Resources:
    """What replicas may ask for in all."""
    return capacity_of(node, observation.facts) - node.reserved


def attributes_of(node: NodeSpec, observation: Reachable | None) -> dict[str, str]:
    """What constraints and spreads may ask of a node. Its name is its id too, and every node is a worker: masters run
    no containers."""
    attributes = {
        "node.hostname": node.name,
        "node.id": node.name,
        "node.role": "worker",
        "node.platform.os": "linux",
        "node.platform.arch": observation.facts.arch if observation else "",
    }
    for key, value in node.labels.items():
        attributes[f"node.labels.{key}"] = value
    return attributes


def closed_for(node: NodeSpec, observation: NodeObservation) -> str:
    """Why it takes nothing new, or empty."""
    if isinstance(observation, Unreachable):
        return "unreachable"
    if observation.problem:
        return "unsuitable"
    return "" if node.schedulable else "not schedulable"
