"""The store in TinyDB: a table of stacks, a table of replicas, one file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
from tinydb import TinyDB
from tinydb.middlewares import CachingMiddleware
from tinydb.table import Document, Table

from orch.errors import StateError
from orch.model.replica import Replica
from orch.model.spec import StackSpec
from orch.model.volume import Volume
from orch.store.protocol import Changes, Kind, Stored, key_of, sorted_replicas, sorted_stacks
from orch.store.storage import AtomicJSONStorage

T = TypeVar("T")
FILE = "state.json"
_FORMAT = 1


class _Meta(msgspec.Struct, frozen=True):
    """Whose state it is, and how it is written."""

    cluster: str
    format: int


class _KeyedTable(Table):
    """Documents go by names of ours, never by numbers of TinyDB's."""

    document_id_class = str  # type: ignore[assignment]


class TinyStore:
    """Whoever commits must hold the folder's lock. Raises StateError for state of another cluster or format."""

    def __init__(self, folder: Path, cluster: str) -> None:
        self._path, self._cluster = folder / FILE, cluster
        self._open()

    def _open(self) -> None:
        """Read what the file has, and nothing else."""
        # TinyDB would write the file anew for every document; through the cache it does so once a commit.
        self._cache = CachingMiddleware(AtomicJSONStorage)  # type: ignore[no-untyped-call]
        self._cache.WRITE_CACHE_SIZE = 1 << 62
        self._db = TinyDB(str(self._path), storage=self._cache)
        self._stacks = _KeyedTable(self._db.storage, "stacks")
        self._replicas = _KeyedTable(self._db.storage, "replicas")
        self._volumes = _KeyedTable(self._db.storage, "volumes")
        self._meta = _KeyedTable(self._db.storage, "meta")
        if self._db.storage.read() is None:
            self._meta.insert(Document(msgspec.to_builtins(_Meta(self._cluster, _FORMAT)), "store"))  # type: ignore[arg-type]
        self._check()

    def _check(self) -> None:
        found = self._read(self._meta, _Meta)
        if len(found) != 1:
            raise StateError(f"{self._path}: does not say whose state it is")
        if found[0].format != _FORMAT:
            raise StateError(f"{self._path}: has format {found[0].format}, and this orch reads {_FORMAT}")
        if found[0].cluster != self._cluster:
            raise StateError(
                f"{self._path}: is the state of cluster {found[0].cluster}, and the inventory is of {self._cluster}"
            )

    def stacks(self) -> tuple[StackSpec, ...]:
        return sorted_stacks(self._read(self._stacks, StackSpec))

    def replicas(self) -> tuple[Replica, ...]:
        return sorted_replicas(self._read(self._replicas, Replica))

    def volumes(self) -> tuple[Volume, ...]:
        return tuple(sorted(self._read(self._volumes, Volume)))

    def _read(self, table: Table, kind: type[T]) -> list[T]:
        try:
            return [msgspec.convert(dict(document), kind) for document in table]
        except (TypeError, ValueError) as error:
            raise StateError(f"{self._path}: is damaged in its {table.name}: {error}") from None

    def commit(self, changes: Changes) -> None:
        if not changes:
            return
        tables: dict[Kind, Table] = {"stack": self._stacks, "replica": self._replicas, "volume": self._volumes}
        for kind, table in tables.items():
            put = {key_of(stored).name: stored for stored in changes.put if key_of(stored).kind == kind}
            _replace(table, [key.name for key in changes.delete if key.kind == kind], put)
        try:
            self._cache.flush()  # type: ignore[no-untyped-call]
        except StateError:
            self._open()  # What could not be written must not be believed either.
            raise


def _replace(table: Table, deleted: Iterable[str], put: dict[str, Stored]) -> None:
    going = [key for key in {*deleted, *put} if table.contains(doc_id=key)]  # type: ignore[arg-type]
    if going:
        table.remove(doc_ids=going)  # type: ignore[arg-type]
    documents = [Document(msgspec.to_builtins(value), key) for key, value in put.items()]  # type: ignore[arg-type]
    if documents:
        table.insert_multiple(documents)
