"""What the rest of orch knows of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec

from orch.model.fence import Mastership
from orch.model.replica import Replica
from orch.model.spec import StackSpec
from orch.model.volume import Volume

Kind: TypeAlias = str
Stored: TypeAlias = msgspec.Struct
T = TypeVar("T", bound=Stored)


class KindOf(msgspec.Struct, frozen=True):
    """One kind of object: its name in keys, its table, its type, what it goes by, and how several are sorted."""

    kind: Kind
    table: str
    type: type[Stored]
    name: Callable[[Any], str]
    order: Callable[[Any], Any]


def _replica_order(replica: Replica) -> tuple[str, str, int, int]:
    """By slot and attempt; flat, for there are many."""
    slot = replica.slot
    return slot.stack, slot.service, slot.number, replica.attempt


KINDS = (
    KindOf("stack", "stacks", StackSpec, lambda stack: stack.name, lambda stack: stack.name),
    KindOf("replica", "replicas", Replica, lambda replica: replica.id, _replica_order),
    KindOf("volume", "volumes", Volume, lambda volume: volume.name, lambda volume: volume),
    KindOf("mastership", "masterships", Mastership, lambda _: "", lambda held: held.owner),
)
"""All that can be stored."""

_OF_TYPE = {of.type: of for of in KINDS}
_OF_KIND = {of.kind: of for of in KINDS}


class Key(msgspec.Struct, frozen=True, order=True):
    """Stacks and volumes go by name, replicas by id; there is one mastership. Raises ValueError for what KINDS does
    not have."""

    kind: Kind
    name: str

    def __post_init__(self) -> None:
        if self.kind not in _OF_KIND:
            raise ValueError(f"there is no kind {self.kind!r} of stored objects")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def kind_of(kind: type[Stored]) -> KindOf:
    return _OF_TYPE[kind]


def type_of(kind: Kind) -> type[Stored]:
    """Raises ValueError for a kind that there is not."""
    if kind not in _OF_KIND:
        raise ValueError(f"there is no kind {kind!r} of stored objects")
    return _OF_KIND[kind].type


def key_of(stored: Stored) -> Key:
    of = _OF_TYPE[type(stored)]
    return Key(of.kind, of.name(stored))


class Changes(msgspec.Struct, frozen=True):
    """One commit, all of it or nothing. What is both deleted and put is put; deleting what is not there is fine.

    `expect`: revisions that objects must have for it, 0 for one that must not be there; of any objects, changed or not.
    """

    put: tuple[Stored, ...] = ()
    delete: tuple[Key, ...] = ()
    expect: Mapping[Key, int] = msgspec.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.put or self.delete)


class Changed(msgspec.Struct, frozen=True):
    """The object is so since `revision`; `value` None: it was deleted."""

    key: Key
    revision: int
    value: Stored | None


class Snapshot(msgspec.Struct, frozen=True):
    """All there is at one revision; each object with the revision that last changed it, sorted by key."""

    revision: int
    objects: tuple[Changed, ...]


News: TypeAlias = Snapshot | tuple[Changed, ...]


class Watch(Protocol):
    """What happens to a store from now on, to be taken piece by piece, at the reader's own pace."""

    def take(self) -> News:
        """At first a snapshot, then all changes since the last `take` in order of revision: the last one for each
        key, () when there are none. Whoever was too slow to be told all gets a snapshot again."""

    def close(self) -> None:
        """Nothing is gathered any more."""


class Store(Protocol):
    """Raises StateError where it cannot be read or written.

    `revision` counts commits. Each object has the revision of the commit that last changed it; one that puts an object
    as it already is does not change it.
    """

    @property
    def revision(self) -> int: ...

    def all(self, kind: type[T]) -> tuple[T, ...]:
        """Sorted as KINDS says."""

    def get(self, key: Key) -> Stored | None: ...

    def revision_of(self, key: Key) -> int:
        """0 when it is not there: what `Changes.expect` then wants."""

    def stacks(self) -> tuple[StackSpec, ...]:
        """Sorted by name."""

    def replicas(self) -> tuple[Replica, ...]:
        """Sorted by slot and attempt."""

    def volumes(self) -> tuple[Volume, ...]:
        """Sorted by name."""

    def commit(self, changes: Changes) -> int:
        """On return the changes outlast a power cut. Returns the revision; it is the old one when nothing differs.

        Raises ConflictError, and changes nothing, when something is not as `changes.expect` has it.
        """

    def watch(self, wake: Callable[[], None] = ..., *, limit: int = ...) -> Watch:
        """`wake` is called, in the midst of a commit, when there is something to take where there was nothing; it must
        not raise. Of more than `limit` changed objects none is kept."""


def changed_stacks(stacks: Iterable[StackSpec], changes: Changes) -> tuple[StackSpec, ...]:
    """`stacks` as they will be after `changes`."""
    gone = {key.name for key in changes.delete if key.kind == "stack"}
    after = {s.name: s for s in stacks if s.name not in gone}
    after |= {s.name: s for s in changes.put if isinstance(s, StackSpec)}
    return tuple(sorted(after.values(), key=kind_of(StackSpec).order))
