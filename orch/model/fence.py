"""What a node refuses late commands by."""

from __future__ import annotations

import msgspec


class Fence(msgspec.Struct, frozen=True, order=True):
    """Which look at the node a command follows from.

    `owner` is the state that the commands come from: 16 characters, made once with it. `term` counts those that
    changed things with this state, one after another; `look` counts the looks of one term, from 1. A node keeps the
    last that it was shown, and does nothing for an earlier one of the same owner: what was on its way when a
    connection broke, or was sent by a master that is none any more, comes too late.
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
