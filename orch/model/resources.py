"""An amount of CPU and memory: what a replica asks for, what a node has."""

from __future__ import annotations

import msgspec

from orch.model.quantities import format_cpus, show_memory


class Resources(msgspec.Struct, frozen=True, order=True):
    """`millicpus` in thousandths of a core, `memory` in bytes."""

    millicpus: int = 0
    memory: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.millicpus + other.millicpus, self.memory + other.memory)

    def __sub__(self, other: Resources) -> Resources:
        return Resources(self.millicpus - other.millicpus, self.memory - other.memory)

    def fits(self, available: Resources) -> bool:
        """What is not asked for always fits, also on a node that is overcommitted."""
        return (self.millicpus <= max(available.millicpus, 0)) and (self.memory <= max(available.memory, 0))

    def __str__(self) -> str:
        return f"{format_cpus(self.millicpus)} cpus, {show_memory(self.memory)} memory"


def total(amounts: list[Resources]) -> Resources:
    return Resources(sum(a.millicpus for a in amounts), sum(a.memory for a in amounts))
