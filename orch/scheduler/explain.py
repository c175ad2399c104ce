"""Why claims fit nowhere: `3 of 4 nodes lack 512m memory (most free: w2 310m); 1 is unreachable`.

Each node is counted once, by the first filter that it fails. What is nearest to fitting is told first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from orch.model.replica import Slot
from orch.scheduler.claim import Claim, Need
from orch.scheduler.filters import FILTERS, Crowd, Miss
from orch.scheduler.node import Fleet, Node

Way: TypeAlias = tuple[int, str]
"""Which filter, counted backwards, and what of it."""
Tally: TypeAlias = dict[Way, tuple[int, list[Miss]]]
"""How many nodes fail in each way, and the nearest misses among them."""

_KEPT = 4
"""One more than are ever shown, since one may be taken out."""


def explain(claims: Sequence[Claim], fleet: Fleet) -> dict[Slot, str]:
    """Why each of these claims, all of one need, was refused."""
    pinned = [claim for claim in claims if claim.pinned]
    reasons = {claim.slot: _explain_pinned(claim, fleet) for claim in pinned}
    free = [claim for claim in claims if not claim.pinned]
    if free:
        tally = _tally(free[0].need, fleet.nodes.values(), fleet)
        text = _text(free[0].need, tally, fleet)
        for claim in free:
            home = fleet.nodes.get(claim.preferred or "")
            if home is None or claim.held is None:
                reasons[claim.slot] = text
            else:
                reasons[claim.slot] = _text(claim.need, _with_room_of(claim, home, tally, fleet), fleet)
    return reasons


def _explain_pinned(claim: Claim, fleet: Fleet) -> str:
    home = fleet.nodes[claim.preferred or ""]
    way, miss = _way_home(claim, home, fleet)
    return _text(claim.need, {way: (1, [miss])}, fleet, home.name)


def _tally(need: Need, nodes: Iterable[Node], fleet: Fleet) -> Tally:
    tally: Tally = {}
    for node in nodes:
        way, miss = _way(need, node, fleet)
        count, misses = tally.get(way, (0, []))
        tally[way] = (count + 1, sorted([*misses, miss])[:_KEPT])
    return tally


def _way(need: Need, node: Node, fleet: Fleet) -> tuple[Way, Miss]:
    for index, each in enumerate(FILTERS):
        if each.concerns(need) and not each.passes(need, node, fleet):
            key, miss = each.miss(need, node, fleet)
            return (-index, key), miss
    raise AssertionError(f"{node.name} takes {need}, and yet it was refused")


def _way_home(claim: Claim, home: Node, fleet: Fleet) -> tuple[Way, Miss]:
    """As it is without the predecessor, which would make way."""
    if claim.held is None:
        return _way(claim.need, home, fleet)
    home.release(claim, claim.held)
    way = _way(claim.need, home, fleet)
    home.hold(claim, claim.held)
    return way


def _with_room_of(claim: Claim, home: Node, tally: Tally, fleet: Fleet) -> Tally:
    """The tally, but for the home of the claim: many claims have one need, and each its own predecessor."""
    way, _ = _way(claim.need, home, fleet)
    count, misses = tally[way]
    changed = tally | {way: (count - 1, [miss for miss in misses if miss.node != home.name])}
    way, miss = _way_home(claim, home, fleet)
    count, misses = changed.get(way, (0, []))
    changed[way] = (count + 1, sorted([*misses, miss])[:_KEPT])
    return {way: (count, misses) for way, (count, misses) in changed.items() if count}


def _text(need: Need, tally: Tally, fleet: Fleet, name: str = "") -> str:
    """`name`: of the one node that came into question."""
    total = 1 if name else len(fleet.nodes)
    parts = [
        FILTERS[-way[0]].explain(need, way[1], Crowd(count, total, name), misses, fleet)
        for way, (count, misses) in sorted(tally.items(), key=lambda item: (item[0][0], -item[1][0], item[0]))
    ]
    return "; ".join(parts) or "there are no nodes"
