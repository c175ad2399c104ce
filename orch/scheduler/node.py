"""Rooms that fill up while replicas are bound to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orch.model.container import Port
from orch.model.resources import Resources
from orch.scheduler.claim import Claim, Held, Need, Room, ServiceName

_EVERYWHERE = {"", "0.0.0.0", "::"}


class Node:
    """A room that fills up. `rank` orders nodes with all else equal: least allocated, fewest replicas, name; less is
    better. `tenth` is the first of it in tenths."""

    __slots__ = (
        "_allocatable",
        "_replicas",
        "free_cpu",
        "free_memory",
        "name",
        "ports",
        "rank",
        "room",
        "services",
        "tenth",
    )

    def __init__(self, room: Room) -> None:
        self.room, self.name = room, room.name
        self.free_cpu, self.free_memory = room.free.millicpus, room.free.memory
        self.services = dict(room.services)
        self.ports: dict[tuple[str, int], list[tuple[str, str]]] = {}
        for port, holder in room.ports:
            self._open(port, holder)
        self._allocatable = room.allocatable
        self._replicas = sum(room.services.values())
        self._measure()

    def take(self, claim: Claim) -> None:
        self._change(claim.need.service, claim.need.request, 1)
        for port in claim.need.ports:
            self._open(port, str(claim.slot))

    def release(self, claim: Claim, held: Held) -> None:
        """The predecessor of the claim goes."""
        self._change(claim.need.service, held.request, -1)
        for port in held.ports:
            self.ports[_key(port)].remove((port.address, str(claim.slot)))

    def hold(self, claim: Claim, held: Held) -> None:
        """It stays after all."""
        self._change(claim.need.service, held.request, 1)
        for port in held.ports:
            self._open(port, str(claim.slot))

    def holder(self, port: Port) -> str | None:
        """Who has a port that leaves no place for this one."""
        for address, holder in self.ports.get(_key(port), ()):
            if address == port.address or address in _EVERYWHERE or port.address in _EVERYWHERE:
                return holder
        return None

    def _open(self, port: Port, holder: str) -> None:
        self.ports.setdefault(_key(port), []).append((port.address, holder))

    def _change(self, service: ServiceName, request: Resources, more: int) -> None:
        self.free_cpu -= more * request.millicpus
        self.free_memory -= more * request.memory
        self.services[service] = self.services.get(service, 0) + more
        self._replicas += more
        self._measure()

    def _measure(self) -> None:
        cpu, memory = self._allocatable.millicpus, self._allocatable.memory
        cpu_share = (cpu - self.free_cpu) * 1000 // cpu if cpu > 0 else 0
        memory_share = (memory - self.free_memory) * 1000 // memory if memory > 0 else 0
        share = max(cpu_share, memory_share)
        self.tenth = share // 100
        self.rank = (share, self._replicas, self.name)


def _key(port: Port) -> tuple[str, int]:
    return (port.protocol, port.published)


class Fleet:
    """All nodes, by name and sorted so, and where local volumes have their data."""

    def __init__(self, rooms: Iterable[Room], homes: Mapping[str, str]) -> None:
        self.nodes = {room.name: Node(room) for room in sorted(rooms, key=lambda r: r.name)}
        self.homes = dict(homes)

    def bind(self, claim: Claim, node: Node) -> None:
        """Volumes that had no home have it there."""
        node.take(claim)
        for volume in claim.need.volumes:
            self.homes.setdefault(volume, node.name)

    def is_homed(self, need: Need) -> bool:
        return all(volume in self.homes for volume in need.volumes)
