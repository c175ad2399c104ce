"""What a node refuses late commands by."""

from __future__ import annotations

import msgspec

from orch.model.instant import Instant


class Fence(msgspec.Struct, frozen=True, order=True):
    """Which look at the node a command follows from.

    `owner` is the state that the commands come from: 16 characters, made once with it. `term` is that of who changes
    things with this state, each with a higher one than those before; `look` counts the looks of one term, from 1. A
    node keeps the last that it was shown, and does nothing for an earlier one of the same owner: what was on its way
    when a connection broke, or was sent by a master that is none any more, comes too late.
    """

    owner: str
    term: int
    look: int

    def __str__(self) -> str:
        return f"{self.owner} {self.term} {self.look}"


class Mastership(msgspec.Struct, frozen=True):
    """What a state remembers of its fences: the one object of its kind."""

    owner: str
    term: int = 0

    def succeeded(self, now: Instant) -> Mastership:
        """The next one. Terms follow the clock as far as it goes forward: a state that was brought back from a backup
        must not have to count up to what the nodes have seen since."""
        return Mastership(self.owner, max(self.term + 1, int(now)))
