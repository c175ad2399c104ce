"""Writers that are killed: each is a process of its own that tells what it was told was kept, until SIGKILL."""

from __future__ import annotations

import os
import random
import select
import signal
import time
from pathlib import Path

import msgspec

from orch.errors import StateError
from orch.store.lock import exclusive
from tests.crash.work import Model, opened

MOST_COMMITS = 16
LONGEST_WAIT = 0.004
"""Seconds after the last of them: some commits and a compaction more."""
_COMPACTS_EVERY = 5
_REPLY_SECONDS = 20


class Kills(msgspec.Struct):
    """`in_compaction` is how many left a compaction half done; `reads` were made without a lock beside the writer."""

    kills: int = 0
    acknowledged: int = 0
    compactions: int = 0
    in_compaction: int = 0
    reads: int = 0
    wrong: str = ""


def kill_writers(folder: Path, model: Model, kills: int, seed: int) -> Kills:
    """Kill so many writers one after the other in one folder, and check after each; stops when something is wrong."""
    dice, tally, known = random.Random(seed), Kills(), 0
    while tally.kills < kills and not tally.wrong:
        told = _one_life(folder, model, dice, known, tally)
        tally.kills += 1
        tally.acknowledged += told - known
        tally.in_compaction += (folder / "snapshot.tmp").exists()
        try:
            store = opened(folder)
            tally.wrong = tally.wrong or model.wrong(store, told, told + 1)
            known = store.revision
        except StateError as error:
            tally.wrong = str(error)
    tally.compactions = max((int(path.suffix[1:]) for path in folder.glob("journal.*")), default=0)
    return tally


def _one_life(folder: Path, model: Model, dice: random.Random, known: int, tally: Kills) -> int:
    """Let a writer make some commits, read beside it, kill it a moment later. The last revision that it told of."""
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        _write_on(folder, model, writing)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        told, lines = b"", dice.randrange(MOST_COMMITS)
        try:
            while told.count(b"\n") <= lines and select.select([pipe], [], [], _REPLY_SECONDS)[0]:
                if not (more := pipe.read(1 << 16)):
                    break
                told += more
                tally.reads += 1
                tally.wrong = tally.wrong or model.wrong(opened(folder), _last(told, known), 1 << 30)
            time.sleep(dice.random() * LONGEST_WAIT)
        except StateError as error:
            tally.wrong = f"beside its writer: {error}"
        finally:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        told += pipe.readall()
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        tally.wrong = tally.wrong or f"the writer ended by itself, with status {status}: {told[-200:]!r}"
    return _last(told, known)


def _last(told: bytes, known: int) -> int:
    """The last revision of which a whole line tells, or `known`."""
    revisions = told[: told.rfind(b"\n") + 1].split()
    return int(revisions[-1]) if revisions else known


def _write_on(folder: Path, model: Model, told: int) -> None:
    """The writer's process. It tells each revision once its commit has returned."""
    try:
        with exclusive(folder):
            os.write(told, b"\n")  # Alive; nothing is kept as yet.
            store = opened(folder)
            while True:
                os.write(told, b"%d\n" % model.commit_next(store))
                if store.revision % _COMPACTS_EVERY == 0:
                    store.compact()
    except BaseException as error:
        os.write(told, repr(error).encode())
    finally:
        os._exit(1)
