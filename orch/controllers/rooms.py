"""What each node has left: its capacity, less what is reserved, less what replicas were placed with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from orch.model.node import NodeObservation, NodeSpec, Reachable, Unreachable, capacity_of
from orch.model.replica import Replica
from orch.model.resources import Resources, total
from orch.scheduler.place import Room


def rooms(nodes: Sequence[NodeSpec], observed: Mapping[str, NodeObservation], holding: Iterable[Replica]) -> list[Room]:
    """`holding`: the replicas that keep their places."""
    on_node: dict[str, list[Replica]] = {node.name: [] for node in nodes}
    for replica in holding:
        if replica.node in on_node:
            on_node[replica.node].append(replica)
    return [_room(node, observed[node.name], on_node[node.name]) for node in nodes]


def _room(node: NodeSpec, observation: NodeObservation, replicas: Sequence[Replica]) -> Room:
    services = dict(Counter((r.slot.stack, r.slot.service) for r in replicas))
    if isinstance(observation, Unreachable):
        return Room(node.name, Resources(), Resources(), services, "unreachable")
    allocatable = allocatable_of(node, observation)
    return Room(
        node.name,
        allocatable,
        allocatable - total([r.request for r in replicas]),
        services,
        closed=_closed(node, observation),
    )


def allocatable_of(node: NodeSpec, observation: Reachable) -> Resources:
    """What replicas may ask for in all."""
    return capacity_of(node, observation.facts) - node.reserved


def _closed(node: NodeSpec, observation: Reachable) -> str:
    if observation.problem:
        return "unsuitable"
    return "" if node.schedulable else "not schedulable"
