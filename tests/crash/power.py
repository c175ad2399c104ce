"""Power cuts: a store's file operations are recorded, images of what may be left are built, loaded and checked."""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from orch.errors import StateError
from orch.store.load import ACKNOWLEDGED, JOURNAL, SNAPSHOT
from orch.store.lock import exclusive
from orch.store.tinydb import TinyStore
from tests.crash.trace import (
    Acknowledged,
    Begun,
    Names,
    Op,
    Recorder,
    Sync,
    SyncFolder,
    Tree,
    Write,
    power_cut,
    read_tree,
    write_tree,
)
from tests.crash.work import CLUSTER, Model, opened

STATE = Path("state/prod")
_SHARED_MEMORY = Path("/dev/shm")
Mutation = Callable[[Sequence[Op]], Iterator[Op]]


class Trace(msgspec.Struct, frozen=True):
    """Operations below `root`; those before `first` made what was there at the start."""

    root: Path
    first: int
    ops: list[Op]


class Tally(msgspec.Struct):
    """How many images were looked at, and what was wrong with the first bad one."""

    images: int = 0
    wrong: str = ""


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder that is fast to sync, where there is one."""
    with tempfile.TemporaryDirectory(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def record(place: Path, start: Tree, model: Model, dice: random.Random, commits: int) -> Trace:
    """Let a store work in a folder with `start` in it: it is opened and closed, commits, and compacts now and then."""
    root = place / "recorded"
    write_tree(start, root)
    recorder = Recorder(root)
    first = len(recorder.ops)
    while commits > 0:
        with exclusive(root / STATE, recorder):
            store = TinyStore(root / STATE, CLUSTER, recorder)
            for _ in range(dice.randint(1, commits)):
                revision = store.revision + 1
                recorder.ops.append(Begun(revision))
                store.commit(model.changes(revision))
                recorder.ops.append(Acknowledged(revision))
                if dice.random() < 0.3:
                    store.compact()
                commits -= 1
            store.close()
    shutil.rmtree(root)
    return Trace(root, first, recorder.ops)


def cut_power(model: Model, images: int, seed: int, mutation: Mutation | None = None) -> Tally:
    """Look at so many images of as many traces as it takes; every third trace goes on from an image of the one before.
    Stops at the first bad one."""
    dice, tally, start, known = random.Random(seed), Tally(), Tree(), 0
    with workplace() as place:
        while tally.images < images and not tally.wrong:
            trace = record(place, start, model, dice, commits=12)
            ops = list(mutation(trace.ops)) if mutation else trace.ops
            image = start
            for _ in range(min(150, images - tally.images)):
                cut = dice.randint(trace.first, len(ops)) if dice.random() < 0.8 else len(ops)
                image = power_cut(ops[:cut], trace.root, dice)
                tally.images += 1
                tally.wrong = check(place / "image", image, model, ops[:cut], known)
                if tally.wrong:
                    tally.wrong += f" (seed {seed}, image {tally.images}, cut after {cut} of {len(ops)} operations)"
                    return tally
            start, known = (image, _last(ops[:cut], known)) if dice.random() < 0.66 else (Tree(), 0)
    return tally


def _last(ops: Sequence[Op], known: int) -> int:
    return next((op.revision for op in reversed(ops) if isinstance(op, Acknowledged)), known)


def check(folder: Path, image: Tree, model: Model, ops: Sequence[Op], known: int) -> str:
    """What is wrong with an image after `ops`; "" if nothing is. `known` was acknowledged before them."""
    write_tree(image, folder)
    least = _last(ops, known)
    begun = next((op.revision for op in reversed(ops) if isinstance(op, Begun)), least)
    state = folder / STATE
    try:
        with exclusive(state):
            store = opened(state)
            if wrong := model.wrong(store, least, max(least, begun, known + 1)):
                return wrong
            revision = model.commit_next(store)
            store.close()
            return model.wrong(opened(state), revision, revision)
    except StateError as error:
        return str(error)
    finally:
        shutil.rmtree(folder)


def _is(op: Op, kind: type[Op], name: str) -> bool:
    """Is this an operation of that kind on a file whose name begins so?"""
    return isinstance(op, kind) and isinstance(op, Write | Sync) and op.path.name.startswith(name)


def without(kind: type[Op], name: str) -> Mutation:
    """Leave such operations out."""
    return lambda ops: (op for op in ops if not _is(op, kind, name))


def _without_sync_of_folder(before_rename: bool) -> Mutation:
    def mutated(ops: Sequence[Op]) -> Iterator[Op]:
        for before, op, after in zip([None, *ops], ops, [*ops[1:], None], strict=False):
            beside = after if before_rename else before
            if not (isinstance(op, SyncFolder) and isinstance(beside, Names) and beside.how == "rename"):
                yield op

    return mutated


def _without_sync_above(ops: Sequence[Op]) -> Iterator[Op]:
    for before, op in zip([None, *ops], ops, strict=False):
        if not (isinstance(op, SyncFolder) and isinstance(before, Names) and before.how == "folder"):
            yield op


def _moved(moving: Callable[[Op], bool], ahead_of: Callable[[Op], bool]) -> Mutation:
    """Each operation of the one sort is done ahead of the last of the other sort before it."""

    def mutated(ops: Sequence[Op]) -> Iterator[Op]:
        done: list[Op] = []
        for op in ops:
            places = [number for number, other in enumerate(done[-8:], max(0, len(done) - 8)) if ahead_of(other)]
            if moving(op) and places:
                done.insert(places[-1], op)
            else:
                done.append(op)
        return iter(done)

    return mutated


def _is_rename(op: Op) -> bool:
    return isinstance(op, Names) and op.how == "rename"


def _old_deleted_first(ops: Sequence[Op]) -> Iterator[Op]:
    """What the snapshot of before needs goes before the new one has its name."""
    journals: list[str] = []
    for op, after in itertools.zip_longest(ops, ops[1:]):
        if isinstance(op, Names) and op.how == "create" and (name := next(iter(op.entries))).startswith(JOURNAL):
            journals.append(name)
        if isinstance(op, SyncFolder) and after and _is_rename(after):
            yield Names("unlink", op.path, dict.fromkeys(journals[:-1]))
        yield op


def _journal_created_last(ops: Sequence[Op]) -> Iterator[Op]:
    """The journal that the new snapshot names is made once that has its name."""
    held: list[Op] = []
    for op in ops:
        if isinstance(op, Names) and op.how == "create" and next(iter(op.entries)).startswith(JOURNAL):
            held.append(op)
            continue
        yield op
        if _is_rename(op):
            yield from held
            held = []


_JOURNAL_SYNC: Callable[[Op], bool] = lambda op: _is(op, Sync, JOURNAL)  # noqa: E731

MUTATIONS: Mapping[str, Mutation] = {
    "journal not synced": without(Sync, JOURNAL),
    "snapshot not synced": without(Sync, SNAPSHOT),
    "folder not synced before the rename": _without_sync_of_folder(before_rename=True),
    "folder not synced after the rename": _without_sync_of_folder(before_rename=False),
    "new folders not synced": _without_sync_above,
    "acknowledged before the sync": _moved(lambda op: isinstance(op, Acknowledged), _JOURNAL_SYNC),
    "witness written before the sync": _moved(lambda op: _is(op, Write, ACKNOWLEDGED), _JOURNAL_SYNC),
    "renamed before the snapshot's sync": _moved(_is_rename, lambda op: _is(op, Sync, SNAPSHOT)),
    "renamed before the folder's sync": _moved(_is_rename, lambda op: isinstance(op, SyncFolder)),
    "old journal deleted before the rename": _old_deleted_first,
    "journal created after the rename": _journal_created_last,
}
"""Every way to get it wrong that was thought of; each must be caught."""


__all__ = ["MUTATIONS", "STATE", "Tally", "check", "cut_power", "read_tree", "record", "workplace"]
