"""What time has to do with a plan: which slots are being worked on, which nodes are given up, who has to wait.

A single command knows nothing of yesterday and is gone tomorrow, so it does without all of it; a resident master goes
by what it has seen since it began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from orch.model.instant import Instant
from orch.model.node import NodeObservation, NodeSpec, Unreachable
from orch.model.replica import Replica, Slot

MOVE_SECONDS = 10.0
"""Long enough for a switch to start again or a cable to be moved, and what Kubernetes takes five minutes for."""

MOST_AWAY = 0.55
"""Of the nodes: with as many away at once the fault is likelier here. The share is that of Kubernetes' zones."""

FIRST_WAIT, LONGEST_WAIT = 10.0, 300.0
LASTED = 600.0
"""Seconds. A replica that ran for so long has not failed to start. These three are the kubelet's."""


class Course(msgspec.Struct, frozen=True):
    """`busy`: slots of which actions are under way; nothing is decided about them. `move_after`: seconds without a word
    after which what a node had is started elsewhere; None for never. `patient`: what failed again and again waits
    longer each time, but for replicas of `hurried` stacks that were decided upon before that time. `crowded_at`: when
    too many nodes were last away at once; those that are back later than the others get their time anew."""

    busy: frozenset[Slot] = frozenset()
    move_after: float | None = None
    patient: bool = False
    hurried: Mapping[str, Instant] = msgspec.field(default_factory=dict)
    crowded_at: Instant = 0.0

    def given_up(
        self, nodes: Sequence[NodeSpec], observed: Mapping[str, NodeObservation], now: Instant
    ) -> dict[str, str]:
        """Nodes whose replicas are to be started elsewhere, and why."""
        if self.move_after is None or self.too_many_away(nodes, observed):
            return {}
        given = {}
        for node in nodes:
            seen = observed[node.name]
            if not isinstance(seen, Unreachable) or seen.suspect or seen.since is None:
                continue
            if now >= self._moves_at(seen.since, self.move_after):
                given[node.name] = f"{node.name} has not answered for {now - seen.since:.0f} s"
        return given

    def _moves_at(self, since: Instant, after: float) -> Instant:
        return max(since, self.crowded_at) + after

    def too_many_away(self, nodes: Sequence[NodeSpec], observed: Mapping[str, NodeObservation]) -> str:
        """Why nothing moves though nodes are away, or empty."""
        away = sum(isinstance(observed[node.name], Unreachable) for node in nodes)
        if self.move_after is None or not away or away < MOST_AWAY * len(nodes):
            return ""
        return f"{away} of {len(nodes)} nodes do not answer, so the fault may well be the master's own network"

    def next_move(
        self, nodes: Sequence[NodeSpec], observed: Mapping[str, NodeObservation], now: Instant
    ) -> Instant | None:
        """When the next node is given up, if it stays as silent as it is."""
        if self.move_after is None or self.too_many_away(nodes, observed):
            return None
        seen = (observed[node.name] for node in nodes)
        since = (o.since for o in seen if isinstance(o, Unreachable) and o.since is not None)
        moves = (self._moves_at(at, self.move_after) for at in since)
        return min((at for at in moves if at > now), default=None)

    def not_before(self, failed: Replica) -> Instant:
        """When the successor of a replica that came to nothing may be started."""
        if not self.patient or failed.planned_at < self.hurried.get(failed.slot.stack, 0.0):
            return 0.0
        return failed.planned_at + wait_after(failed.failures + 1)


ONE_COMMAND = Course()


def wait_after(failures: int) -> float:
    """Seconds from one start to the next: none after the first failure, then 10, 20, 40 up to 300."""
    return 0.0 if failures < 2 else min(FIRST_WAIT * 2 ** min(failures - 2, 10), LONGEST_WAIT)


def failures_after(failed: Replica, now: Instant) -> int:
    """What its successor has behind it."""
    return 1 if now - failed.planned_at >= LASTED else failed.failures + 1
