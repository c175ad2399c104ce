"""What the rest of orch knows of a store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol, TypeAlias, assert_never

import msgspec

from orch.model.replica import Replica
from orch.model.spec import StackSpec
from orch.model.volume import Volume

Kind = Literal["stack", "replica", "volume"]
Stored: TypeAlias = StackSpec | Replica | Volume


class Key(msgspec.Struct, frozen=True, order=True):
    """Stacks and volumes go by name, replicas by id."""

    kind: Kind
    name: str


def key_of(stored: Stored) -> Key:
    match stored:
        case StackSpec():
            return Key("stack", stored.name)
        case Replica():
            return Key("replica", stored.id)
        case Volume():
            return Key("volume", stored.name)
        case _:
            assert_never(stored)


class Changes(msgspec.Struct, frozen=True):
    """One commit, all of it or nothing. What is both deleted and put is put; deleting what is not there is fine."""

    put: tuple[Stored, ...] = ()
    delete: tuple[Key, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.delete)


class Store(Protocol):
    """Raises StateError where it cannot be read or written."""

    def stacks(self) -> tuple[StackSpec, ...]:
        """Sorted by name."""

    def replicas(self) -> tuple[Replica, ...]:
        """Sorted by slot and attempt."""

    def volumes(self) -> tuple[Volume, ...]:
        """Sorted by name."""

    def commit(self, changes: Changes) -> None:
        """On return the changes outlast a power cut."""


def changed_stacks(stacks: Iterable[StackSpec], changes: Changes) -> tuple[StackSpec, ...]:
    """`stacks` as they will be after `changes`."""
    gone = {key.name for key in changes.delete if key.kind == "stack"}
    after = {s.name: s for s in stacks if s.name not in gone}
    after |= {s.name: s for s in changes.put if isinstance(s, StackSpec)}
    return sorted_stacks(after.values())


def sorted_stacks(stacks: Iterable[StackSpec]) -> tuple[StackSpec, ...]:
    return tuple(sorted(stacks, key=lambda s: s.name))


def sorted_replicas(replicas: Iterable[Replica]) -> tuple[Replica, ...]:
    return tuple(sorted(replicas, key=lambda r: (r.slot, r.attempt)))
