"""TinyDB on a journal: its two extension points, the storage and the class of its tables.

TinyDB itself reads, rebuilds and writes everything for each update; a table here writes what the update has touched.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, cast

from tinydb import Storage, TinyDB
from tinydb.table import Table

from orch.store.journal import Journal
from orch.store.records import Change, Document

_GONE = None


class Draft(MutableMapping[Any, Document]):
    """A table as one update leaves it, over the table as it is, which stays untouched.

    Documents are copied when they are first asked for: TinyDB's updates change them in place.
    """

    def __init__(self, base: Mapping[str, Document], ident: Callable[[str], Any]) -> None:
        """`ident`: from an id as it is kept to one as TinyDB's callers know it."""
        self._base, self._ident = base, ident
        self._touched: dict[str, Document | None] = {}

    def __getitem__(self, key: Any) -> Document:
        name = str(key)
        if name not in self._touched:
            self._touched[name] = copy.deepcopy(self._base[name])
        document = self._touched[name]
        if document is _GONE:
            raise KeyError(key)
        return document

    def __setitem__(self, key: Any, document: Document) -> None:
        self._touched[str(key)] = document

    def __delitem__(self, key: Any) -> None:
        if key not in self:
            raise KeyError(key)
        self._touched[str(key)] = _GONE

    def __contains__(self, key: object) -> bool:
        name = str(key)
        return self._touched[name] is not _GONE if name in self._touched else name in self._base

    def __iter__(self) -> Iterator[Any]:
        for name in [*self._base, *(name for name in self._touched if name not in self._base)]:
            if name in self:
                yield self._ident(name)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        self._touched = dict.fromkeys([*self._base, *self._touched], _GONE)

    def changes(self) -> Iterator[tuple[str, Document | None]]:
        """What differs from the table as it is; a document of None is to go."""
        for name, document in self._touched.items():
            if document != self._base.get(name):
                yield name, document


class JournalStorage(Storage):
    """`read` and `write` are TinyDB's; what changes a table of ours goes through `draft`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._drafts: dict[str, Draft] | None = None

    def read(self) -> dict[str, dict[str, Any]]:
        """Views of what is kept, not copies; whoever is given a document of them must not change it."""
        return {name: MappingProxyType(table) for name, table in self._journal.state.documents.items()}  # type: ignore[misc]

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Make everything be as in `data`, in one commit. Raises StateError."""
        with self.transaction():
            for name in {*data, *self._journal.state.documents}:
                draft = self.draft(name, str)
                draft.clear()
                draft.update({str(ident): dict(document) for ident, document in data.get(name, {}).items()})

    @contextmanager
    def transaction(self) -> Iterator[list[Change]]:
        """All updates within are one commit at its end, or nothing when it ends with an error; searches within see
        what was there before. The list that is given has the changes, once they are made. Raises StateError."""
        made: list[Change] = []
        if self._drafts is not None:  # Part of the one around it.
            yield made
            return
        self._drafts = {}
        try:
            yield made
            drafts = sorted(self._drafts.items())
            made += [(table, ident, document) for table, draft in drafts for ident, document in draft.changes()]
            if made:
                self._journal.commit(made)
        finally:
            self._drafts = None

    def draft(self, table: str, ident: Callable[[str], Any]) -> Draft:
        """The table to be changed by whatever the transaction under way does to it."""
        assert self._drafts is not None, "only within a transaction"
        if table not in self._drafts:
            self._drafts[table] = Draft(self._journal.state.documents.get(table, {}), ident)
        return self._drafts[table]

    def close(self) -> None:
        self._journal.close()


class JournalTable(Table):
    """A table whose updates cost what they change."""

    _storage: JournalStorage

    def __init__(self, storage: JournalStorage, name: str, cache_size: int = 0, persist_empty: bool = False) -> None:
        # No cache of searches: it would outlast the commit that it was filled before.
        super().__init__(storage, name, cache_size, persist_empty)

    def _update_table(self, updater: Callable[[Any], None]) -> None:
        with self._storage.transaction():
            updater(self._storage.draft(self.name, self.document_id_class))

    def replace(self, documents: Mapping[str, Document], removed: Iterable[str] = ()) -> None:
        """Take away what is `removed` and there, then put `documents`, by id."""

        def update(draft: Draft) -> None:
            for ident in removed:
                if ident in draft:
                    del draft[ident]
            draft.update(documents)

        self._update_table(update)


class NamedTable(JournalTable):
    """Documents go by names of ours, never by numbers of TinyDB's."""

    document_id_class = str  # type: ignore[assignment]


class JournalDB(TinyDB):
    """TinyDB with named tables in the folder of a journal."""

    table_class = NamedTable  # type: ignore[assignment]
    _storage: JournalStorage

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal, storage=JournalStorage)

    @property
    def storage(self) -> JournalStorage:
        return self._storage

    def named(self, name: str) -> NamedTable:
        return cast(NamedTable, self.table(name))
