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

LONGEST_LIFE = 0.02
"""Seconds, from its start on: some 40 commits and 5 compactions."""
_COMPACTS_EVERY = 7
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
        told = _one_life(folder, model, dice.random() * LONGEST_LIFE, known, tally)
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


def _one_life(folder: Path, model: Model, seconds: float, known: int, tally: Kills) -> int:
    """The last revision that the writer told of, or `known`."""
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        _write_on(folder, model, writing)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        try:
            ready = pipe.read(1) if select.select([pipe], [], [], _REPLY_SECONDS)[0] else b""
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0:
                # Reads beside the writer, as `orch ps` makes them, and then the exact moment.
                if left < LONGEST_LIFE / 4:
                    time.sleep(left)
                    continue
                tally.reads += 1
                tally.wrong = tally.wrong or model.wrong(opened(folder), known, 1 << 30)
        except StateError as error:
            tally.wrong = f"beside its writer: {error}"
        finally:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        told = pipe.readall()
    if ready != b"\n" or os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        tally.wrong = tally.wrong or f"the writer ended by itself, with status {status}: {told.decode()[-200:]}"
    whole = told[: told.rfind(b"\n") + 1].split()
    return int(whole[-1]) if whole else known


def _write_on(folder: Path, model: Model, told: int) -> None:
    """The writer's process. It tells each revision once its commit has returned."""
    try:
        with exclusive(folder):
            os.write(told, b"\n")
            store = opened(folder)
            while True:
                os.write(told, b"%d\n" % model.commit_next(store))
                if store.revision % _COMPACTS_EVERY == 0:
                    store.compact()
    except BaseException as error:
        os.write(told, repr(error).encode())
    finally:
        os._exit(1)
