"""Opening a store for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from orch.store.lock import exclusive
from orch.store.tinydb import TinyStore


@contextmanager
def opened(folder: Path, cluster: str, *, changing: bool) -> Iterator[TinyStore]:
    """`changing`: hold the folder's lock meanwhile, and leave behind what the next one reads quickly.

    Raises StateError.
    """
    with ExitStack() as stack:
        if changing:
            stack.enter_context(exclusive(folder))
        store = TinyStore(folder, cluster)
        stack.callback(store.close)
        yield store
        if changing:
            store.compact_when_due()
