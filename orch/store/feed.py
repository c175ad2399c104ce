"""Watches on a store: who is told what, and when it is too much. Pure: no clock, no task, no queue of unknown size."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orch.store.protocol import Changed, Key, News, Snapshot


class Feed:
    """All watches on one store."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._watches: list[FeedWatch] = []

    def watch(self, wake: Callable[[], None], limit: int) -> FeedWatch:
        watch = FeedWatch(self._snapshot, wake, limit, self._watches.remove)
        self._watches.append(watch)
        return watch

    def publish(self, changes: Iterable[Changed]) -> None:
        """In the order of their revisions, and after `snapshot` has them."""
        told = tuple(changes)
        for watch in tuple(self._watches):
            watch.add(told)


class FeedWatch:
    """One reader's share: the last change of each key, at most `limit` of them, else a snapshot instead."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        wake: Callable[[], None],
        limit: int,
        leave: Callable[[FeedWatch], None],
    ) -> None:
        self._snapshot, self._wake, self._limit, self._leave = snapshot, wake, limit, leave
        self._pending: dict[Key, Changed] = {}
        self._behind = True
        self._closed = False

    def add(self, changes: Iterable[Changed]) -> None:
        if self._behind:
            return
        idle = not self._pending
        for change in changes:
            self._pending.pop(change.key, None)  # So that the order stays that of the revisions.
            self._pending[change.key] = change
        if len(self._pending) > self._limit:
            self._pending.clear()
            self._behind = True
        if idle and (self._pending or self._behind):
            self._wake()

    def take(self) -> News:
        if self._behind:
            self._behind = self._closed
            return self._snapshot()
        taken = tuple(self._pending.values())
        self._pending.clear()
        return taken

    def close(self) -> None:
        if not self._closed:
            self._closed = self._behind = True
            self._pending.clear()
            self._leave(self)
