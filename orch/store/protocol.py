"""What the rest of orch knows of a store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from orch.model.replica import Replica
from orch.model.spec import StackSpec


class Changes(msgspec.Struct, frozen=True):
    """One commit, all of it or nothing. Stacks go by name, replicas by id; deleting what is not there is fine."""

    put_stacks: tuple[StackSpec, ...] = ()
    delete_stacks: tuple[str, ...] = ()
    put_replicas: tuple[Replica, ...] = ()
    delete_replicas: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put_stacks or self.delete_stacks or self.put_replicas or self.delete_replicas)


class Store(Protocol):
    """Raises StateError where it cannot be read or written."""

    def stacks(self) -> tuple[StackSpec, ...]:
        """Sorted by name."""

    def replicas(self) -> tuple[Replica, ...]:
        """Sorted by slot and attempt."""

    def commit(self, changes: Changes) -> None:
        """On return the changes outlast a power cut."""


def sorted_stacks(stacks: Iterable[StackSpec]) -> tuple[StackSpec, ...]:
    return tuple(sorted(stacks, key=lambda s: s.name))


def sorted_replicas(replicas: Iterable[Replica]) -> tuple[Replica, ...]:
    return tuple(sorted(replicas, key=lambda r: (r.slot, r.attempt)))
