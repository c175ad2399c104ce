"""What a commit and a start cost, beside TinyDB with its own storages doing the same."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from tinydb import TinyDB
from tinydb.middlewares import CachingMiddleware
from tinydb.storages import JSONStorage
from tinydb.table import Document

from orch.model.replica import Replica, Slot, replica_id
from orch.model.resources import Resources
from orch.store.protocol import Changes, key_of
from orch.store.records import encode_transaction
from orch.store.tinydb import TinyStore
from tests.bench.report import Bar, Figure, Report

CLUSTER = "prod"
KEPT, CHANGED, LOADED = 10_000, 100, 50_000
COMMIT_LIMIT_MS, LOAD_LIMIT_S = 5, 1
_OWN_ROUNDS = 3
"""For what takes TinyDB's own storages a second each."""


class Cost(msgspec.Struct, frozen=True):
    """Milliseconds."""

    wall: float
    cpu: float


def cost_of(work: Callable[[], object]) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Cost((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000)


def measure(rounds: int = 30) -> Report:
    # On a disk, beside the checkout: /tmp may be memory, where a sync costs nothing.
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        commits, syncs = _commits(folder / "state", rounds)
        loads, read = _loads(folder / "large", max(3, rounds // 3))
        figures = [
            *_figures(f"commit of {CHANGED} at {KEPT}", commits),
            *_figures("  write and fdatasync of the same bytes", syncs),
            *_figures(f"load of {LOADED}", loads),
            *_figures("  and all its objects made and sorted", read),
            *_of_tinydb(folder),
        ]
    beside = statistics.median(c.wall for c in commits) - statistics.median(s.wall for s in syncs)
    return Report(
        "store",
        figures,
        [
            Bar(f"commit of {CHANGED} at {KEPT} beside its fdatasync, ms", beside, COMMIT_LIMIT_MS),
            Bar("  of CPU, ms", statistics.median(c.cpu for c in commits), COMMIT_LIMIT_MS),
            Bar(f"load of {LOADED}, s", statistics.median(c.wall for c in loads) / 1000, LOAD_LIMIT_S),
            Bar("  with all its objects, s", statistics.median(c.wall for c in read) / 1000, LOAD_LIMIT_S),
        ],
    )


def _figures(name: str, costs: Sequence[Cost]) -> tuple[Figure, Figure]:
    return (
        Figure(f"{name}, wall", "ms", tuple(c.wall for c in costs)),
        Figure(f"{name}, CPU", "ms", tuple(c.cpu for c in costs)),
    )


def _replicas(count: int, attempt: int = 1) -> tuple[Replica, ...]:
    """Some 230 bytes of JSON each."""
    return tuple(
        Replica(
            replica_id(CLUSTER, slot := Slot("shop", f"web{number % 50}", number), attempt),
            slot,
            attempt,
            f"node-{number % 100}.example.com",
            "0123456789abcdef",
            Resources(100, 64 << 20),
        )
        for number in range(count)
    )


def _changed(round_: int) -> tuple[Replica, ...]:
    """Other ones each round, as they come in a fleet: the replicas of some services."""
    return tuple(
        msgspec.structs.replace(replica, node=f"node-{round_}.example.org")
        for replica in _replicas(KEPT)[round_ * CHANGED % KEPT :][:CHANGED]
    )


def _commits(folder: Path, rounds: int) -> tuple[list[Cost], list[Cost]]:
    """Each commit, and right after it a bare write and fdatasync of as many bytes to a file of its own."""
    folder.mkdir()
    store = TinyStore(folder, CLUSTER)
    store.commit(Changes(put=_replicas(KEPT)))
    commits, syncs = [], []
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(rounds):
        changes = Changes(put=_changed(number))
        commits.append(cost_of(lambda changes=changes: store.commit(changes)))  # type: ignore[misc]
        data = encode_transaction(1, [("replicas", key_of(r).name, msgspec.to_builtins(r)) for r in changes.put])
        syncs.append(cost_of(lambda data=data: _append(bare, data)))  # type: ignore[misc]
    os.close(bare)
    store.close()
    return commits, syncs


def _append(file: int, data: bytes) -> None:
    os.write(file, data)
    os.fdatasync(file)


def _loads(folder: Path, rounds: int) -> tuple[list[Cost], list[Cost]]:
    """Half of it in the snapshot, half in the journal."""
    folder.mkdir()
    store = TinyStore(folder, CLUSTER)
    replicas = _replicas(LOADED)
    store.commit(Changes(put=replicas[: LOADED // 2]))
    store.compact()
    store.commit(Changes(put=replicas[LOADED // 2 :]))
    store.close()
    loads, read = [], []
    for _ in range(rounds):
        opened: list[TinyStore] = []
        load = cost_of(lambda opened=opened: opened.append(TinyStore(folder, CLUSTER)))  # type: ignore[misc]
        made = cost_of(opened[0].replicas)
        assert len(opened[0].replicas()) == LOADED
        loads.append(load)
        read.append(Cost(load.wall + made.wall, load.cpu + made.cpu))
    return loads, read


def _of_tinydb(folder: Path) -> list[Figure]:
    """The same commit and the same load with what TinyDB brings. It neither syncs the cached one nor survives a kill
    with any."""
    kinds = (("JSONStorage", JSONStorage), ("CachingMiddleware, flushed", CachingMiddleware(JSONStorage)))  # type: ignore[no-untyped-call]
    figures: list[Figure] = []
    for name, storage in kinds:
        path = folder / f"{name[:4]}.json"
        db = TinyDB(path, storage=storage)
        db.insert_multiple(_documents(_replicas(KEPT)))
        commits = []
        for number in range(_OWN_ROUNDS):
            documents = _documents(_changed(number), number * CHANGED)

            def commit(db: TinyDB = db, documents: list[Document] = documents) -> None:
                db.remove(doc_ids=[document.doc_id for document in documents])
                db.insert_multiple(documents)
                if isinstance(db.storage, CachingMiddleware):
                    db.storage.flush()  # type: ignore[no-untyped-call]

            commits.append(cost_of(commit))
        db.close()
        figures += _figures(f"{name}: commit of {CHANGED} at {KEPT}", commits)
    large = TinyDB(folder / "own.json")
    large.insert_multiple(_documents(_replicas(LOADED)))
    large.close()
    loads = [cost_of(lambda: TinyDB(folder / "own.json").all()) for _ in range(_OWN_ROUNDS)]
    return [*figures, *_figures(f"JSONStorage: load of {LOADED}", loads)]


def _documents(replicas: Sequence[Replica], first: int = 0) -> list[Document]:
    return [Document(msgspec.to_builtins(replica), first + n + 1) for n, replica in enumerate(replicas)]
