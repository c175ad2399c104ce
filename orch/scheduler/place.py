"""Binding claims to nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import partial
from typing import TypeAlias

import msgspec

from orch.model.replica import Slot
from orch.scheduler.claim import Claim, Need, Room
from orch.scheduler.explain import explain
from orch.scheduler.filters import FILTERS, passes, passing
from orch.scheduler.node import Fleet, Node
from orch.scheduler.tree import grow

_Group: TypeAlias = list[Claim]
"""Claims of one service with one need, by slot."""


class Placement(msgspec.Struct, frozen=True):
    """`bound`: slot → node. `refused`: slot → why it fits nowhere."""

    bound: dict[Slot, str]
    refused: dict[Slot, str]


def place(claims: Iterable[Claim], rooms: Sequence[Room], homes: Mapping[str, str] | None = None) -> Placement:
    """Bind as many claims as fit, without ever overfilling a node, not even while old replicas make way.

    `homes`: local volume → the node that has its data; a volume that has none yet gets one with the first replica that
    uses it. Claims that have a node already come first, then services that are bound to one node by a volume, then
    those with the largest requests: what is large finds room only while there is some. Who moves away leaves room, so
    what was refused is tried again there until nothing more fits; asked again with the outcome, this function changes
    nothing.
    """
    work = _Work(rooms, homes or {})
    waiting = sorted(claims, key=lambda claim: claim.slot)
    among = set(work.fleet.nodes)
    while waiting and among:
        moving = work.settle(waiting, among)
        work.opened.clear()
        waiting = [claim for group in _grouped(moving, work.fleet) for claim in work.spread(group, among)]
        # Only where somebody moved away has anything become possible that was not.
        among = set(work.opened)
    refused: dict[Slot, str] = {}
    for group in _grouped(waiting, work.fleet):
        refused |= explain(group, work.fleet)
    return Placement(work.bound, refused)


def _grouped(claims: Iterable[Claim], fleet: Fleet) -> list[_Group]:
    """In the order in which they are to be placed."""
    groups: dict[tuple[object, ...], _Group] = {}
    for claim in claims:
        need = claim.need
        fresh = claim.preferred not in fleet.nodes
        key = (
            fresh,
            not (need.volumes and fleet.is_homed(need)),
            -need.request.memory,
            -need.request.millicpus,
            need.service,
        )
        groups.setdefault(key, []).append(claim)
    return [groups[key] for key in sorted(groups)]


class _Work:
    """What has been decided so far. `opened`: nodes from which something has gone."""

    def __init__(self, rooms: Sequence[Room], homes: Mapping[str, str]) -> None:
        self.fleet = Fleet(rooms, homes)
        self.bound: dict[Slot, str] = {}
        self.opened: set[str] = set()
        self._lasting: dict[tuple[object, ...], set[str]] = {}

    def settle(self, claims: Iterable[Claim], among: Set[str]) -> list[Claim]:
        """Bind claims to the nodes where they were, if these are `among` those in question and the claims fit there;
        all others come back."""
        left: list[Claim] = []
        at_home: dict[str, _Group] = {}
        for claim in claims:
            if claim.preferred in among:
                at_home.setdefault(claim.preferred or "", []).append(claim)
            else:
                left.append(claim)
        for name in sorted(at_home):
            left += self._settle_at(self.fleet.nodes[name], at_home[name])
        return left

    def _settle_at(self, node: Node, claims: _Group) -> _Group:
        """Whoever needs less than before makes room for one that was tried earlier."""
        while True:
            left = [claim for claim in claims if not self._go_home(claim, node)]
            if len(left) in {0, len(claims)}:
                return left
            claims = left

    def _go_home(self, claim: Claim, node: Node) -> bool:
        if claim.held is not None:
            node.release(claim, claim.held)
        if passes(claim.need, node, self.fleet):
            self._bind(claim, node)
            return True
        if claim.held is not None:
            node.hold(claim, claim.held)
        return False

    def spread(self, claims: _Group, among: Set[str]) -> _Group:
        """Bind claims of one need to the best nodes; those that fit nowhere come back."""
        left = [claim for claim in claims if claim.pinned]
        free = [claim for claim in claims if not claim.pinned]
        if free and not self.fleet.is_homed(free[0].need):
            # The first decides where the volumes are, and so where all others go.
            if self._spread(free[:1], among):
                return [*left, *free]
            free = free[1:]
        return [*left, *self._spread(free, among)]

    def _spread(self, claims: _Group, among: Set[str]) -> _Group:
        if not claims:
            return []
        need, fleet = claims[0].need, self.fleet
        checks = [each.passes for each in reversed(FILTERS) if not each.lasting and each.concerns(need)]
        allowed = self._passing(need) & among

        def fits(node: Node) -> bool:
            if node.name not in allowed:
                return False
            for check in checks:  # noqa: SIM110 - all() takes twice the time here, where most of it goes.
                if not check(need, node, fleet):
                    return False
            return True

        tree = grow(self._candidates(need, allowed), need, fits)
        for done, claim in enumerate(claims):
            if not tree.bind(partial(self._move, claim)):
                return claims[done:]
        return []

    def _passing(self, need: Need) -> set[str]:
        """Many services ask for the same of what does not change."""
        key = (need.policy.constraints, need.policy.tolerations, need.external)
        if key not in self._lasting:
            self._lasting[key] = passing(need, self.fleet.nodes.values(), self.fleet)
        return self._lasting[key]

    def _candidates(self, need: Need, allowed: Set[str]) -> Iterable[Node]:
        """For spreading over values, all nodes: what is on them counts though they may take nothing."""
        nodes = self.fleet.nodes
        return nodes.values() if need.policy.spread else [nodes[name] for name in allowed]

    def _move(self, claim: Claim, node: Node) -> None:
        self._bind(claim, node)
        left_behind = self.fleet.nodes.get(claim.preferred or "")
        if claim.held is not None and left_behind is not None:
            left_behind.release(claim, claim.held)
            self.opened.add(left_behind.name)

    def _bind(self, claim: Claim, node: Node) -> None:
        self.fleet.bind(claim, node)
        self.bound[claim.slot] = node.name
