"""Services and stacks as they are now, for tables and programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from orch.controllers.status import ReplicaStatus, replica_statuses
from orch.model.node import NodeObservation
from orch.model.plan import Desired
from orch.model.replica import Replica, Slot
from orch.model.spec import ServiceSpec
from orch.podman.options import published


class ServiceStatus(msgspec.Struct, frozen=True):
    """`updated`: replicas made from the wanted spec. `endpoints`: addresses of the ready ones. `vip` is for networks
    to come."""

    stack: str
    service: str
    mode: str
    desired: int
    running: int
    ready: int
    updated: int
    vip: str | None
    ports: tuple[str, ...]
    endpoints: tuple[str, ...]
    image: str = ""

    @property
    def name(self) -> str:
        return f"{self.stack}/{self.service}"


class StackStatus(msgspec.Struct, frozen=True):
    """`removed`: it is wanted no more, and replicas of it are still on record."""

    name: str
    services: int
    desired: int
    running: int
    ready: int
    removed: bool = False


def service_statuses(desired: Desired, observed: Mapping[str, NodeObservation]) -> list[ServiceStatus]:
    """One for every service that is wanted, sorted."""
    rows: dict[tuple[str, str], list[ReplicaStatus]] = {}
    for row in replica_statuses(desired, observed):
        rows.setdefault((row.stack, row.service), []).append(row)
    records = {replica.id: replica for replica in desired.replicas}
    return [
        _service(stack, spec, rows.get((stack, spec.name), []), records)
        for (stack, _), spec in desired.services().items()
    ]


def stack_statuses(desired: Desired, observed: Mapping[str, NodeObservation]) -> list[StackStatus]:
    """One for every stack that is wanted or still has replicas, sorted."""
    services: dict[str, list[ServiceStatus]] = {stack.name: [] for stack in desired.stacks}
    for service in service_statuses(desired, observed):
        services[service.stack].append(service)
    left: dict[str, list[ReplicaStatus]] = {}
    for row in replica_statuses(desired, observed):
        if row.stack not in services:
            left.setdefault(row.stack, []).append(row)
    wanted = [
        StackStatus(
            name,
            len(found),
            sum(s.desired for s in found),
            sum(s.running for s in found),
            sum(s.ready for s in found),
        )
        for name, found in services.items()
    ]
    leaving = [
        StackStatus(name, 0, 0, sum(r.state == "running" for r in rows), sum(r.ready for r in rows), removed=True)
        for name, rows in left.items()
    ]
    return sorted([*wanted, *leaving], key=lambda s: s.name)


def _service(
    stack: str, spec: ServiceSpec, rows: Sequence[ReplicaStatus], records: Mapping[str, Replica]
) -> ServiceStatus:
    slots = {Slot(row.stack, row.service, row.slot) for row in rows}
    current = [row for row in rows if row.id and row.id in records and records[row.id].spec_hash == spec.hash]
    return ServiceStatus(
        stack=stack,
        service=spec.name,
        mode=spec.mode,
        desired=spec.replicas if spec.mode in {"replicated", "replicated-job"} else len(slots),
        running=sum(row.state == "running" for row in rows),
        ready=sum(row.ready for row in rows),
        updated=sum(row.state == "running" for row in current),
        vip=None,
        ports=tuple(published(port) for port in spec.ports),
        endpoints=tuple(address for row in rows if row.ready for address in row.addresses),
        image=spec.image,
    )
