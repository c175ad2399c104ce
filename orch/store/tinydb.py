"""The store: objects of the model in TinyDB's tables, kept by a journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from orch.errors import ConflictError, StateError
from orch.model.replica import Replica
from orch.model.spec import StackSpec
from orch.model.volume import Volume
from orch.store.feed import Feed, FeedWatch
from orch.store.files import DISK, Files
from orch.store.journal import Journal
from orch.store.load import collector_off
from orch.store.protocol import KINDS, Changed, Changes, Key, Kind, KindOf, Snapshot, Stored, key_of, kind_of
from orch.store.records import Change, Document
from orch.store.tables import JournalDB

T = TypeVar("T", bound=Stored)
WATCH_LIMIT = 10_000
"""Changed objects that wait for one reader: as many as a large fleet has replicas."""


def _nothing() -> None:
    return None


class TinyStore:
    """Whoever commits must hold the folder's lock since before this was made; readers need none and see the folder as
    it was at that moment.

    Raises StateError for a folder that is damaged, or is the state of another cluster.
    """

    def __init__(self, folder: Path, cluster: str, files: Files = DISK) -> None:
        self._folder = folder
        self._journal = Journal(folder, cluster, files)
        self._db = JournalDB(self._journal)
        self._read: dict[Kind, dict[str, Stored]] = {}
        self._sorted: dict[Kind, tuple[Stored, ...]] = {}
        self._feed = Feed(self._snapshot)

    @property
    def revision(self) -> int:
        return self._journal.state.revision

    def stacks(self) -> tuple[StackSpec, ...]:
        return self.all(StackSpec)

    def replicas(self) -> tuple[Replica, ...]:
        return self.all(Replica)

    def volumes(self) -> tuple[Volume, ...]:
        return self.all(Volume)

    def all(self, kind: type[T]) -> tuple[T, ...]:
        of = kind_of(kind)
        if of.kind not in self._sorted:
            self._sorted[of.kind] = tuple(sorted(self._objects(of).values(), key=of.order))
        return cast(tuple[T, ...], self._sorted[of.kind])

    def get(self, key: Key) -> Stored | None:
        return self._objects(_of(key)).get(key.name)

    def revision_of(self, key: Key) -> int:
        return self._journal.state.revisions.get(_of(key).table, {}).get(key.name, 0)

    def commit(self, changes: Changes) -> int:
        for key, expected in changes.expect.items():
            if (found := self.revision_of(key)) != expected:
                raise ConflictError(f"{key}: {_conflict(found, expected)}; look at it again and repeat")
        put = {key_of(stored): stored for stored in changes.put}
        with self._db.storage.transaction() as made:
            for of in KINDS:
                documents = {k.name: _document(v) for k, v in put.items() if k.kind == of.kind}
                removed = [key.name for key in changes.delete if key.kind == of.kind]
                if documents or removed:
                    self._db.named(of.table).replace(documents, removed)
        try:
            self._note(made, put)
        except BaseException:  # Ctrl-C in the midst of it: what is half noted is read anew.
            self._read.clear()
            self._sorted.clear()
            raise
        return self.revision

    def compact(self) -> None:
        """Begin a new snapshot and journal; what was there becomes the backup. Raises StateError."""
        self._journal.compact()

    def compact_when_due(self) -> None:
        """Shorten what the next start has to read, if it is worth it. For when nobody waits. Raises StateError."""
        if self._journal.due:
            self.compact()

    def watch(self, wake: Callable[[], None] = _nothing, *, limit: int = WATCH_LIMIT) -> FeedWatch:
        return self._feed.watch(wake, limit)

    def close(self) -> None:
        """Files are closed and commits fail from now on; what was read can still be asked for."""
        self._db.close()

    def _note(self, made: list[Change], put: dict[Key, Stored]) -> None:
        """After a commit: objects, indexes and watches follow."""
        kinds = {of.table: of.kind for of in KINDS}
        told = []
        for table, name, document in made:
            key = Key(kinds[table], name)
            value = put[key] if document is not None else None
            told.append(Changed(key, self.revision, value))
            self._sorted.pop(key.kind, None)
            if key.kind in self._read:
                objects = self._read[key.kind]
                if value is None:
                    objects.pop(name, None)
                else:
                    objects[name] = value
        self._feed.publish(told)

    def _objects(self, of: KindOf) -> dict[str, Stored]:
        """By name; read from their documents when they are first asked for."""
        if of.kind not in self._read:
            with collector_off():
                self._read[of.kind] = {name: self._object(of, name) for name in self._documents(of)}
        return self._read[of.kind]

    def _documents(self, of: KindOf) -> dict[str, dict[str, object]]:
        return self._journal.state.documents.get(of.table, {})

    def _object(self, of: KindOf, name: str) -> Stored:
        try:
            return msgspec.convert(self._documents(of)[name], of.type)
        except msgspec.ValidationError as error:
            raise StateError(
                f"{self._folder}: {of.kind} {name} cannot be read: {error}; use the version of orch that wrote it"
            ) from None

    def _snapshot(self) -> Snapshot:
        objects = [
            Changed(key := Key(of.kind, name), self.revision_of(key), value)
            for of in KINDS
            for name, value in self._objects(of).items()
        ]
        return Snapshot(self.revision, tuple(sorted(objects, key=lambda changed: changed.key)))


def _of(key: Key) -> KindOf:
    return next(of for of in KINDS if of.kind == key.kind)


def _document(value: Stored) -> Document:
    """As it will be read again: with lists for tuples, or what was read would differ from the same put again."""
    document: Document = msgspec.json.decode(msgspec.json.encode(value))
    return document


def _conflict(found: int, expected: int) -> str:
    if not expected:
        return f"it is there already, since revision {found}"
    return f"it was changed meanwhile, in revision {found}" if found else "it was deleted meanwhile"
