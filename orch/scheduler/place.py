"""Binding claims to nodes.

    claims of one service ──▶ fits? ──▶ score: fewest of this service, least allocated, fewest at all, name ──▶ bind

All replicas of a service ask for the same, so binding one changes one node's score: a heap serves them all.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from orch.model.quantities import format_cpus, show_memory
from orch.model.replica import Slot
from orch.model.resources import Resources


class Room(msgspec.Struct, frozen=True):
    """A node as the scheduler sees it. `closed` says why it takes nothing new, or is empty.

    `services`: (stack, service) → replicas of it that are there.
    """

    name: str
    allocatable: Resources
    free: Resources
    services: dict[tuple[str, str], int] = {}
    closed: str = ""


class Claim(msgspec.Struct, frozen=True):
    """A slot that wants a node. On `preferred` its last replica ran; `held` is what that one still occupies
    there, which comes free when the claim is bound and only then."""

    slot: Slot
    request: Resources
    preferred: str | None = None
    held: Resources | None = None

    @property
    def service(self) -> tuple[str, str]:
        return (self.slot.stack, self.slot.service)


class Placement(msgspec.Struct, frozen=True):
    """`bound`: slot → node. `refused`: slot → why it fits nowhere."""

    bound: dict[Slot, str]
    refused: dict[Slot, str]


def place(claims: Sequence[Claim], rooms: Sequence[Room]) -> Placement:
    """Bind as many claims as fit, without ever overfilling a node, not even while old replicas make way.

    Claims that have a node already come first, then services with the largest requests: what is large finds
    room only while there is some. Who moves away leaves room, so what was refused is tried again until nothing
    more fits; asked again with the outcome, this function changes nothing.
    """
    nodes = {room.name: _Node(room) for room in sorted(rooms, key=lambda r: r.name)}
    settled = sorted((c for c in claims if c.preferred in nodes), key=lambda c: c.slot)
    fresh = sorted((c for c in claims if c.preferred not in nodes), key=_largest_first)
    bound: dict[Slot, str] = {}
    refused: dict[Slot, str] = {}
    while True:
        before = len(bound)
        for claim in settled:
            _bind_settled(claim, nodes, bound, refused)
        for _, group in groupby(fresh, key=lambda c: (c.request, c.service)):
            _bind_service(list(group), nodes, bound, refused)
        settled = [c for c in settled if c.slot not in bound]
        fresh = [c for c in fresh if c.slot not in bound]
        if len(bound) == before or not (settled or fresh):
            return Placement(bound, {slot: why for slot, why in refused.items() if slot not in bound})


def _largest_first(claim: Claim) -> tuple[int, int, Slot]:
    return (-claim.request.memory, -claim.request.millicpus, claim.slot)


def _bind_settled(claim: Claim, nodes: dict[str, _Node], bound: dict[Slot, str], refused: dict[Slot, str]) -> None:
    """Where it was, if it fits there, or else on the best node."""
    home = nodes[claim.preferred or ""]
    if claim.held is not None:
        home.release(claim.held, claim.service)
    if not home.fits(claim.request):
        fitting = [node for node in nodes.values() if node.fits(claim.request)]
        if not fitting:
            refused[claim.slot] = explain(claim.request, nodes.values())
            if claim.held is not None:
                home.take(claim.held, claim.service)
            return
        home = min(fitting, key=lambda node: (node.score(claim.service), node.name))
    home.take(claim.request, claim.service)
    bound[claim.slot] = home.name


def _bind_service(
    claims: Sequence[Claim], nodes: dict[str, _Node], bound: dict[Slot, str], refused: dict[Slot, str]
) -> None:
    """Claims of one service with one request."""
    request, service = claims[0].request, claims[0].service
    heap = [(node.score(service), node.name) for node in nodes.values() if node.fits(request)]
    heapq.heapify(heap)
    reason = ""
    for claim in claims:
        if not heap:
            reason = reason or explain(request, nodes.values())
            refused[claim.slot] = reason
            continue
        node = nodes[heap[0][1]]
        node.take(request, service)
        bound[claim.slot] = node.name
        if node.fits(request):
            heapq.heapreplace(heap, (node.score(service), node.name))
        else:
            heapq.heappop(heap)


class _Node:
    """A room that fills up."""

    def __init__(self, room: Room) -> None:
        self.name, self.closed = room.name, room.closed
        self.free = room.free
        self._allocatable = room.allocatable
        self._services = Counter(room.services)
        self._replicas = sum(room.services.values())

    def fits(self, request: Resources) -> bool:
        return not self.closed and request.fits(self.free)

    def take(self, request: Resources, service: tuple[str, str]) -> None:
        self.free -= request
        self._services[service] += 1
        self._replicas += 1

    def release(self, held: Resources, service: tuple[str, str]) -> None:
        self.free += held
        self._services[service] -= 1
        self._replicas -= 1

    def score(self, service: tuple[str, str]) -> tuple[int, int, int]:
        """Less is better."""
        used, whole = self._allocatable - self.free, self._allocatable
        share = max(_per_mille(used.millicpus, whole.millicpus), _per_mille(used.memory, whole.memory))
        return (self._services[service], share, self._replicas)


def _per_mille(part: int, whole: int) -> int:
    return part * 1000 // whole if whole else 0


def explain(request: Resources, nodes: Iterable[_Node]) -> str:
    """Why no node takes the request: how many lack what, and the nearest miss."""
    nodes = list(nodes)
    open_nodes = [n for n in nodes if not n.closed]
    parts = []
    lacking_memory = [n for n in open_nodes if request.memory > n.free.memory]
    if lacking_memory:
        best = max(lacking_memory, key=lambda n: n.free.memory)
        parts.append(
            f"{_of(len(lacking_memory), len(nodes))} {show_memory(request.memory)} memory "
            f"(most free: {best.name} {show_memory(max(0, best.free.memory))})"
        )
    lacking_cpus = [n for n in open_nodes if request.millicpus > n.free.millicpus]
    if lacking_cpus:
        best = max(lacking_cpus, key=lambda n: n.free.millicpus)
        parts.append(
            f"{_of(len(lacking_cpus), len(nodes))} {format_cpus(request.millicpus)} cpus "
            f"(most free: {best.name} {format_cpus(max(0, best.free.millicpus))})"
        )
    for reason, count in sorted(Counter(n.closed for n in nodes if n.closed).items()):
        parts.append(f"{count} {'is' if count == 1 else 'are'} {reason}")
    return "; ".join(parts) or "there are no nodes"


def _of(count: int, total: int) -> str:
    if total == 1:
        return "the only node lacks"
    return f"all {total} nodes lack" if count == total else f"{count} of {total} nodes lack{'s' if count == 1 else ''}"
