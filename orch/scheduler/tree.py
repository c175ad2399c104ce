"""The candidates for one service, in the order in which they are taken.

    zone north (2 replicas) ── rack a (1) ── heap of nodes
                            └─ rack b (1) ── heap of nodes
    zone south (3 replicas) ── …

A branch for each value of an attribute to spread over; the one with the fewest replicas of the service comes first. In
a heap of nodes: fewest replicas of the service, least allocated in tenths, image there, then the node's rank.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from orch.scheduler.claim import Need
from orch.scheduler.node import Node

Score: TypeAlias = tuple[int, int, bool, tuple[int, int, str], Node]


class Leaf:
    """Nodes of which `fits` tells whether they still take another replica. One that does not never will again while
    replicas of the service are bound, for it only fills up."""

    def __init__(self, nodes: Iterable[Node], need: Need, fits: Callable[[Node], bool]) -> None:
        self._need, self._fits = need, fits
        service, image = need.service, need.image
        self._heap: list[Score] = [
            (n.services.get(service, 0), n.tenth, image not in n.room.images, n.rank, n) for n in nodes if fits(n)
        ]
        heapq.heapify(self._heap)

    def bind(self, bind: Callable[[Node], None]) -> bool:
        """`bind` gets the best node; False when there is none."""
        if not self._heap:
            return False
        node = self._heap[0][-1]
        bind(node)
        if self._fits(node):
            heapq.heapreplace(self._heap, self._score(node))
        else:
            heapq.heappop(self._heap)
        return True

    def _score(self, node: Node) -> Score:
        need = self._need
        return (node.services.get(need.service, 0), node.tenth, need.image not in node.room.images, node.rank, node)


class Branches:
    """A tree for each value, the emptiest first."""

    def __init__(self, trees: Iterable[tuple[int, str, Tree]]) -> None:
        self._heap = list(trees)
        heapq.heapify(self._heap)

    def bind(self, bind: Callable[[Node], None]) -> bool:
        while self._heap:
            replicas, value, tree = self._heap[0]
            if tree.bind(bind):
                heapq.heapreplace(self._heap, (replicas + 1, value, tree))
                return True
            heapq.heappop(self._heap)
        return False


Tree: TypeAlias = Leaf | Branches


def grow(everyone: Iterable[Node], need: Need, fits: Callable[[Node], bool]) -> Tree:
    """Replicas count wherever they are, also on nodes that take no more of them."""
    return _grow(list(everyone), need, fits, need.policy.spread)


def _grow(everyone: Sequence[Node], need: Need, fits: Callable[[Node], bool], spread: Sequence[str]) -> Tree:
    if not spread:
        return Leaf(everyone, need, fits)
    by_value: dict[str, list[Node]] = {}
    for node in everyone:
        by_value.setdefault(node.room.attributes.get(spread[0], ""), []).append(node)
    return Branches(
        (sum(n.services.get(need.service, 0) for n in nodes), value, _grow(nodes, need, fits, spread[1:]))
        for value, nodes in by_value.items()
    )
