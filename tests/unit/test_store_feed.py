"""Watches: a snapshot, then every change, the last of each key, and never more than was agreed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orch.store.protocol import Changed, Changes, Snapshot, Stored, key_of
from orch.store.tinydb import TinyStore
from tests.unit.clusters import CLUSTER, replica_of, shop, web

WEB = web()
SHOP, SHOP2 = shop(WEB), shop(web("nginx:2"))
FIRST, SECOND, THIRD = (replica_of(WEB, "w1", number=n) for n in (1, 2, 3))


def put(value: Stored, revision: int) -> Changed:
    return Changed(key_of(value), revision, value)


def gone(value: Stored, revision: int) -> Changed:
    return Changed(key_of(value), revision, None)


def store_of(folder: Path, *values: Stored) -> TinyStore:
    store = TinyStore(folder, CLUSTER)
    store.commit(Changes(put=values))
    return store


def test_a_watch_begins_with_what_there_is(tmp_path: Path) -> None:
    store = store_of(tmp_path, SHOP)
    store.commit(Changes(put=(FIRST,)))

    watch = store.watch()

    assert watch.take() == Snapshot(2, (put(FIRST, 2), put(SHOP, 1)))
    assert watch.take() == ()


def test_a_watch_on_nothing_begins_with_an_empty_snapshot(tmp_path: Path) -> None:
    assert TinyStore(tmp_path, CLUSTER).watch().take() == Snapshot(0, ())


def test_what_happens_before_the_first_snapshot_is_taken_is_in_it(tmp_path: Path) -> None:
    store = store_of(tmp_path, SHOP)
    watch = store.watch()
    store.commit(Changes(put=(SHOP2,)))

    assert watch.take() == Snapshot(2, (put(SHOP2, 2),))
    assert watch.take() == ()


def test_each_key_is_told_once_with_its_last_change_in_order_of_revisions(tmp_path: Path) -> None:
    store = store_of(tmp_path, SHOP, FIRST)
    watch = store.watch()
    watch.take()
    store.commit(Changes(put=(SHOP2, SECOND)))
    store.commit(Changes(delete=(key_of(FIRST),)))
    store.commit(Changes(put=(SHOP,)))

    assert watch.take() == (put(SECOND, 2), gone(FIRST, 3), put(SHOP, 4))
    assert watch.take() == ()


def test_a_commit_that_changes_nothing_is_not_told(tmp_path: Path) -> None:
    store = store_of(tmp_path, SHOP)
    watch = store.watch()
    watch.take()
    store.commit(Changes(put=(SHOP,), delete=(key_of(FIRST),)))

    assert watch.take() == ()


def test_a_slow_reader_keeps_no_more_than_the_limit_and_gets_a_snapshot_again(tmp_path: Path) -> None:
    store = store_of(tmp_path, SHOP)
    watch = store.watch(limit=2)
    watch.take()
    store.commit(Changes(put=(FIRST, SECOND)))
    store.commit(Changes(put=(msgspec.structs.replace(FIRST, node="w9"),)))
    assert [change.revision for change in watch.take()] == [2, 3]  # type: ignore[union-attr]

    store.commit(Changes(put=(FIRST, SECOND, THIRD, SHOP2)))
    store.commit(Changes(delete=(key_of(SECOND),)))
    latest = watch.take()

    assert isinstance(latest, Snapshot)
    assert (latest.revision, len(latest.objects)) == (5, 3)
    store.commit(Changes(delete=(key_of(THIRD),)))
    assert watch.take() == (gone(THIRD, 6),)


def test_a_reader_is_woken_once_for_all_that_waits(tmp_path: Path) -> None:
    store = store_of(tmp_path, SHOP)
    woken: list[int] = []
    watch = store.watch(lambda: woken.append(store.revision), limit=2)
    store.commit(Changes(put=(FIRST,)))
    assert woken == []  # The first snapshot waits anyway.
    watch.take()

    store.commit(Changes(put=(SECOND,)))
    store.commit(Changes(put=(THIRD,)))
    assert woken == [3]
    watch.take()
    store.commit(Changes(put=(SHOP2, replica_of(WEB, "w2", number=4), replica_of(WEB, "w2", number=5))))
    assert woken == [3, 5]


def test_watches_do_not_take_from_each_other_and_a_closed_one_is_told_nothing(tmp_path: Path) -> None:
    store = store_of(tmp_path, SHOP)
    first, second = store.watch(), store.watch()
    first.take(), second.take()
    store.commit(Changes(put=(FIRST,)))
    second.close()
    second.close()
    store.commit(Changes(put=(SECOND,)))

    assert first.take() == (put(FIRST, 2), put(SECOND, 3))
    assert store.watch().take() == second.take()
