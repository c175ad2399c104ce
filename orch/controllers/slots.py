"""Which slots are wanted.

A replicated service has as many as it says, wherever they are. A global one has a slot for each node that may run it;
the slot's number says nothing of the node, but a node keeps the number that it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from orch.controllers.replica import Keep, judge
from orch.controllers.rooms import attributes_of, closed_for
from orch.controllers.service import Service
from orch.model.node import Container, NodeObservation, NodeSpec, Reachable
from orch.model.plan import Desired
from orch.model.replica import Replica, Slot
from orch.scheduler.claim import ServiceName
from orch.scheduler.filters import unmet, untolerated

Containers: TypeAlias = Mapping[tuple[str, str], Container]
"""By node and replica; those of nodes that can be worked with."""


class Wanted(msgspec.Struct, frozen=True):
    """`slots`: sorted by service and number. `pinned`: the node of each slot of a global service."""

    slots: dict[Slot, Service]
    pinned: dict[Slot, str]


def wanted_slots(
    services: Mapping[ServiceName, Service],
    desired: Desired,
    observed: Mapping[str, NodeObservation],
    containers: Containers,
) -> Wanted:
    slots: dict[Slot, Service] = {}
    pinned: dict[Slot, str] = {}
    for (stack, name), service in services.items():
        if service.is_global:
            numbered = _Numbering(service, desired, observed, containers).nodes()
            pinned |= {Slot(stack, name, number): numbered[number] for number in sorted(numbered)}
            slots |= {Slot(stack, name, number): service for number in sorted(numbered)}
        else:
            for number in range(1, service.spec.replicas + 1):
                slots[Slot(stack, name, number)] = service
    return Wanted(slots, pinned)


def misplaced(service: Service, node: NodeSpec, observation: NodeObservation) -> str:
    """Why a replica of the service may not even stay on a node, or empty. What an unreachable node is made of is not
    known, and all else is."""
    policy = service.spec.placement
    if policy.constraints:
        attributes = attributes_of(node, observation if isinstance(observation, Reachable) else None)
        if (constraint := unmet(policy.constraints, attributes)) is not None:
            return f"{node.name} fails the constraint {constraint}"
    evicting = [taint for taint in node.taints if taint.effect == "NoExecute"]
    if (taint := untolerated(policy.tolerations, evicting)) is not None:
        return f"{node.name} has the taint {taint}"
    return ""


def is_as_wanted(container: Container, service: Service) -> bool:
    """Whether a container of which there is no record may fill a slot as it is."""
    return container.spec_hash == service.hash and (container.state == "running" or service.has_ended(container))


class _Numbering:
    """Who has which number in one global service."""

    def __init__(
        self,
        service: Service,
        desired: Desired,
        observed: Mapping[str, NodeObservation],
        containers: Containers,
    ) -> None:
        self._service, self._observed, self._containers = service, observed, containers
        self._specs = {node.name: node for node in desired.nodes}
        name = service.need.service
        self._records = [r for r in desired.replicas if (r.slot.stack, r.slot.service) == name]
        recorded = {(r.node, r.id) for r in self._records}
        self._strays = [
            (node, c)
            for (node, ident), c in containers.items()
            if (c.slot.stack, c.slot.service) == name and (node, ident) not in recorded
        ]

    def nodes(self) -> dict[int, str]:
        """Number → node. First those that something there speaks for, the surest first; then the lowest free."""
        numbered: dict[int, str] = {}
        having: set[str] = set()
        beyond_reach = {(r.slot.number, r.node) for r in self._records if self._is_beyond_reach(r.node)}
        occupied = {number for number, _ in beyond_reach}
        for _, _, number, node in sorted(self._evidence()):
            # What is out of reach has its slot, whoever else bears the number.
            free = number not in occupied or (number, node) in beyond_reach
            if free and number not in numbered and node not in having:
                numbered[number] = node
                having.add(node)
        number = 0
        for node in sorted(self._specs):
            if node in having or not self._takes(self._specs[node]):
                continue
            number += 1
            while number in numbered or number in occupied:
                number += 1
            numbered[number] = node
        return numbered

    def _evidence(self) -> Iterable[tuple[int, int, int, str]]:
        """(how unsure, minus the attempt, number, node)"""
        for record in self._records:
            spec = self._specs.get(record.node)
            if spec is not None and (sureness := self._sureness(record, spec)) is not None:
                yield sureness, -record.attempt, record.slot.number, record.node
        for node, container in self._strays:
            if is_as_wanted(container, self._service) and self._takes(self._specs[node]):
                yield 2, -container.attempt, container.slot.number, node

    def _sureness(self, record: Replica, spec: NodeSpec) -> int | None:
        """None: it does not make the node keep its slot."""
        observation = self._observed[spec.name]
        container = self._containers.get((record.node, record.id))
        running = container is not None and container.state == "running"
        if misplaced(self._service, spec, observation):
            return None
        if self._is_beyond_reach(spec.name):
            return 1
        if not self._takes(spec):
            # Nothing new may come here, so only what lasts counts: a slot whose replica is gone is gone with it.
            stays = running or isinstance(judge(record, self._service, observation, container), Keep)
            return 0 if stays else None
        return 0 if running else 1 if container is not None else 3

    def _is_beyond_reach(self, node: str) -> bool:
        return node in self._specs and closed_for(self._specs[node], self._observed[node]) in _BEYOND_REACH

    def _takes(self, spec: NodeSpec) -> bool:
        """Whether a new replica may come to the node, as far as room and ports are left aside."""
        observation = self._observed[spec.name]
        return (
            not closed_for(spec, observation)
            and not misplaced(self._service, spec, observation)
            and untolerated(self._service.spec.placement.tolerations, spec.taints) is None
        )


_BEYOND_REACH = ("unreachable", "unsuitable")
