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
    Killed,
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
    """Let a store work in a folder with `start` in it: it is opened and closed, commits, compacts now and then, and is
    killed now and then."""
    root = place / "recorded"
    write_tree(start, root)
    recorder = Recorder(root)
    first = len(recorder.ops)
    while commits > 0:
        session = min(commits, dice.choice((1, 2, 6)))
        commits -= session
        recorder.life = dice.randint(0, dice.choice((20, 8 * session))) if dice.random() < 0.5 else None
        try:
            _session(root / STATE, recorder, model, dice, session)
        except Killed:
            recorder.close_all()
    shutil.rmtree(root)
    return Trace(root, first, recorder.ops)


def _session(folder: Path, recorder: Recorder, model: Model, dice: random.Random, commits: int) -> None:
    with exclusive(folder, recorder):
        store = TinyStore(folder, CLUSTER, recorder)
        for _ in range(commits):
            revision = store.revision + 1
            recorder.ops.append(Begun(revision))
            store.commit(model.changes(revision))
            recorder.ops.append(Acknowledged(revision))
            if dice.random() < 0.3:
                store.compact()
        store.close()


def cut_power(model: Model, images: int, seed: int, mutation: Mutation | None = None) -> Tally:
    """Look at so many images of as many traces as it takes; every third trace goes on from an image of the one before.
    Stops at the first bad one."""
    dice, tally, start, range_ = random.Random(seed), Tally(), Tree(), NOTHING
    with workplace() as place:
        while tally.images < images and not tally.wrong:
            trace = record(place, start, model, dice, commits=12)
            ops = list(mutation(trace.ops)) if mutation else trace.ops
            image, cut = start, 0
            for _ in range(min(100, images - tally.images)):
                cut = dice.randint(trace.first, len(ops))
                image = power_cut(ops[:cut], trace.root, dice)
                tally.images += 1
                tally.wrong = check(place / "image", image, model, _right(ops[:cut], range_))
                if tally.wrong:
                    tally.wrong += f" (seed {seed}, image {tally.images}, cut after {cut} of {len(ops)} operations)"
                    return tally
            start, range_ = (image, _right(ops[:cut], range_)) if dice.random() < 0.66 else (Tree(), NOTHING)
    return tally


NOTHING = range(1)
"""Revision 0 alone."""


def _right(ops: Sequence[Op], before: range) -> range:
    """The revisions that are right after `ops`, when those of `before` were right before them."""
    told = [op.revision for op in ops if isinstance(op, Acknowledged)]
    begun = [op.revision for op in ops if isinstance(op, Begun)]
    return range(max([before.start, *told]), max([before.stop, *(revision + 1 for revision in begun)]))


def check(folder: Path, image: Tree, model: Model, right: range) -> str:
    """What is wrong with an image that should be at a revision of `right`; "" if nothing is."""
    write_tree(image, folder)
    state = folder / STATE
    try:
        with exclusive(state):
            store = opened(state)
            if wrong := model.wrong(store, right.start, right.stop - 1):
                return wrong
            revision = model.commit_next(store)
            store.close()
            return model.wrong(opened(state), revision, revision)
    except StateError as error:
        return str(error)
    finally:
        shutil.rmtree(folder)


def _is(op: Op | None, kind: type[Op], name: str) -> bool:
    """Is this an operation of that kind on a file whose name begins so?"""
    return isinstance(op, kind) and isinstance(op, Write | Sync) and op.path.name.startswith(name)


def _without(left_out: Callable[[Op | None, Op, Op | None], bool]) -> Mutation:
    """Leave out operations by what they are and what is done before and after them."""

    def mutated(ops: Sequence[Op]) -> Iterator[Op]:
        for before, op, after in zip([None, *ops], ops, [*ops[1:], None], strict=False):
            if not left_out(before, op, after):
                yield op

    return mutated


def _is_of_folder(op: Op, *, above: bool = False) -> bool:
    return isinstance(op, SyncFolder) and (op.path.name != STATE.name) == above


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


def _is_rename(op: Op | None) -> bool:
    return isinstance(op, Names) and op.how == "rename"


def _old_deleted_first(ops: Sequence[Op]) -> Iterator[Op]:
    """What the snapshot of before needs goes before the new one has its name."""
    journals: list[str] = []
    for op, after in itertools.zip_longest(ops, ops[1:]):
        if isinstance(op, Names) and op.how == "create" and (name := next(iter(op.entries))).startswith(JOURNAL):
            journals.append(name)
        if isinstance(op, SyncFolder) and _is_rename(after):
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
    "journal not synced": _without(lambda before, op, _: _is(op, Sync, JOURNAL) and _is(before, Write, JOURNAL)),
    "journal not synced when taken over": _without(
        lambda before, op, _: _is(op, Sync, JOURNAL) and not _is(before, Write, JOURNAL)
    ),
    "snapshot not synced": _without(lambda _, op, __: _is(op, Sync, SNAPSHOT)),
    "folder not synced before the rename": _without(
        lambda _, op, after: _is_of_folder(op) and _is_rename(after),
    ),
    "folder not synced after the rename": _without(
        lambda before, op, _: _is_of_folder(op) and _is_rename(before),
    ),
    "folder not synced when taken over": _without(
        lambda before, op, after: _is_of_folder(op) and not _is_rename(before) and not _is_rename(after),
    ),
    "folders above not synced": _without(lambda _, op, __: _is_of_folder(op, above=True)),
    "acknowledged before the sync": _moved(lambda op: isinstance(op, Acknowledged), _JOURNAL_SYNC),
    "witness written before the sync": _moved(lambda op: _is(op, Write, ACKNOWLEDGED), _JOURNAL_SYNC),
    "renamed before the snapshot's sync": _moved(_is_rename, lambda op: _is(op, Sync, SNAPSHOT)),
    "renamed before the folder's sync": _moved(_is_rename, lambda op: isinstance(op, SyncFolder)),
    "old journal deleted before the rename": _old_deleted_first,
    "journal created after the rename": _journal_created_last,
}
"""Every way to get it wrong that was thought of; each must be caught."""


__all__ = ["MUTATIONS", "STATE", "Tally", "check", "cut_power", "read_tree", "record", "workplace"]
