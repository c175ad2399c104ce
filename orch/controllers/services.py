"""Services and stacks as they are now, for tables and programs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from orch.controllers.service import Service, services_of
from orch.controllers.slots import wanted_slots
from orch.controllers.status import ReplicaStatus, containers_seen, replica_statuses
from orch.model.node import NodeObservation
from orch.model.plan import Desired
from orch.model.replica import Slot
from orch.model.spec import Mode
from orch.podman.options import published


class ServiceStatus(msgspec.Struct, frozen=True):
    """`desired`: the slots it wants now; of a global service, those of the nodes that may run it. `updated`: replicas
    that are there and made from what is wanted; `completed`: those of a job that ended with 0. `endpoints`: addresses
    of the ready ones. `vip` is for networks to come, and so are `closed_ports`: those of `ports` that nothing opens
    yet."""

    stack: str
    service: str
    mode: Mode
    desired: int
    running: int
    ready: int
    updated: int
    vip: str | None
    ports: tuple[str, ...]
    endpoints: tuple[str, ...]
    image: str
    completed: int = 0
    closed_ports: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.stack}/{self.service}"


class StackStatus(msgspec.Struct, frozen=True):
    """Sums over its services. `leaving`: replicas that a stack which is not wanted any more still has."""

    name: str
    services: int = 0
    desired: int = 0
    running: int = 0
    ready: int = 0
    updated: int = 0
    completed: int = 0
    leaving: int = 0


def service_statuses(desired: Desired, observed: Mapping[str, NodeObservation]) -> list[ServiceStatus]:
    """One for every service wanted, sorted."""
    services = services_of(desired)
    wanted = wanted_slots(services, desired, observed, containers_seen(observed)).slots
    hashes = {replica.id: replica.spec_hash for replica in desired.replicas}
    slots = Counter((slot.stack, slot.service) for slot in wanted)
    rows: dict[tuple[str, str], list[ReplicaStatus]] = {key: [] for key in services}
    for row in replica_statuses(desired, observed):
        if Slot(row.stack, row.service, row.slot) in wanted:
            rows[row.stack, row.service].append(row)
    return [_service(service, slots[key], rows[key], hashes) for key, service in services.items()]


def _service(service: Service, slots: int, rows: list[ReplicaStatus], hashes: Mapping[str, str]) -> ServiceStatus:
    return ServiceStatus(
        stack=service.stack,
        service=service.spec.name,
        mode=service.spec.mode,
        desired=slots,
        running=sum(row.state == "running" for row in rows),
        ready=sum(row.ready for row in rows),
        updated=sum(row.alive and hashes[row.id or ""] == service.hash for row in rows),
        vip=None,
        ports=tuple(published(port) for port in service.spec.ports),
        endpoints=tuple(address for row in rows if row.ready for address in row.addresses),
        image=service.spec.image,
        closed_ports=tuple(published(port) for port in service.spec.ports if port.mode == "ingress"),
        completed=sum(service.is_job and row.exit_code == 0 for row in rows),
    )


def stack_statuses(desired: Desired, observed: Mapping[str, NodeObservation]) -> list[StackStatus]:
    """One for every stack wanted, and for those that are not and still have replicas; sorted."""
    left = Counter(replica.slot.stack for replica in desired.replicas)
    found = {name: StackStatus(name, leaving=count) for name, count in left.items()}
    found |= {stack.name: StackStatus(stack.name) for stack in desired.stacks}
    for service in service_statuses(desired, observed):
        so_far = found[service.stack]
        found[service.stack] = StackStatus(
            service.stack,
            services=so_far.services + 1,
            desired=so_far.desired + service.desired,
            running=so_far.running + service.running,
            ready=so_far.ready + service.ready,
            updated=so_far.updated + service.updated,
            completed=so_far.completed + service.completed,
        )
    return [found[name] for name in sorted(found)]
