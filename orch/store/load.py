"""Reading a state folder without any lock, and saying what can be done when it is damaged.

snapshot        everything, at one revision; replaced as a whole
journal.N       what changed since the snapshot of generation N
snapshot.M      the backup: the snapshot before, from which journal.M and those after it lead on to the same state
acknowledged    the last revision of which somebody was told; written without sync, so it may lag, never lead
"""

from __future__ import annotations

import gc
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from orch.errors import StateError
from orch.store.files import DISK, Files
from orch.store.records import FORMAT, Damage, State, line, read_journal, read_snapshot, unline

SNAPSHOT, JOURNAL, ACKNOWLEDGED = "snapshot", "journal", "acknowledged"
OLD_FORM = "state.json"
_ANEW = "begins anew: containers that run as wanted are then adopted"
_LOOKS = 5


class Loaded(msgspec.Struct, frozen=True):
    """What a folder says. `owner` None: there is nothing yet. Sizes are in bytes.

    `names` are the files that were there. `clean`: the journal can be appended to as it is.
    """

    state: State
    owner: str | None = None
    generation: int = 0
    snapshot_size: int = 0
    journal_size: int = 0
    clean: bool = False
    names: tuple[str, ...] = ()


class _Flaw(Exception):
    """One look's finding: where and why."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}")


def load(folder: Path, files: Files = DISK) -> Loaded:
    """Raises StateError when the folder cannot be read, or is not what a store leaves, whatever happens to it."""
    told = _Flaw("", "")
    for _ in range(_LOOKS):
        try:
            with collector_off():
                return _look(folder, files)
        except OSError as error:
            raise StateError(f"{error.filename or folder}: cannot be read: {error.strerror}") from error
        except _Flaw as flaw:
            # While somebody writes, one look can catch files of different times: only what two agree on is damage.
            if str(flaw) == str(told):
                break
            told = flaw
    raise StateError(f"{folder / told.name}: {told.reason}; {_way_back(folder, files)}") from None


@contextmanager
def collector_off() -> Iterator[None]:
    """Nothing that is loaded is garbage, and looking through it again and again costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _look(folder: Path, files: Files) -> Loaded:
    # In this order: what is read later may be newer than what was read before, and never older.
    acknowledged = _acknowledged(folder, files)
    data = _read(folder / SNAPSHOT, files)
    names = tuple(files.names(folder))
    if data is None:
        _check_empty(folder, files, names, acknowledged)
        return Loaded(State(), names=names)
    try:
        head, state = read_snapshot(data)
    except Damage as damage:
        raise _Flaw(SNAPSHOT, f"is damaged {damage}") from None
    if head.format != FORMAT:
        raise StateError(
            f"{folder / SNAPSHOT}: has format {head.format}, and this orch reads {FORMAT}; use the orch that wrote it"
        )
    size, clean, last = _follow(folder, files, names, head.generation, state)
    if acknowledged > state.revision:
        raise _Flaw(last, f"ends at revision {state.revision}, and {acknowledged} had been reached: its end is lost")
    return Loaded(state, head.owner, head.generation, len(data), size, clean, names)


def _follow(folder: Path, files: Files, names: Iterable[str], generation: int, state: State) -> tuple[int, bool, str]:
    """Apply the journal of the snapshot's generation, and those of later ones that a backup is continued by.

    The first one's size, whether it ends all and can be appended to, and the name of the last that has anything.
    """
    size, clean, last = 0, True, f"{JOURNAL}.{generation}"
    for number in sorted({generation, *generations(names, JOURNAL, since=generation)}):
        name = f"{JOURNAL}.{number}"
        content = _read(folder / name, files)
        if content is None:
            raise _Flaw(name, f"is missing, and {SNAPSHOT} needs it")
        found = read_journal(content, state.revision)
        for revision, changes in found.transactions:
            state.apply(revision, changes)
        if found.damage:
            raise _Flaw(name, f"is damaged {found.damage}")
        if number == generation:
            size, clean = len(content), found.clean
        elif content:
            clean, last = False, name
    return size, clean, last


def _read(path: Path, files: Files) -> bytes | None:
    try:
        return files.read(path)
    except FileNotFoundError:
        return None


def _check_empty(folder: Path, files: Files, names: tuple[str, ...], acknowledged: int) -> None:
    """No snapshot: that is right only when nothing was ever acknowledged."""
    if OLD_FORM in names:
        raise StateError(
            f"{folder / OLD_FORM}: was written by an orch before 0.1.0 and is not read; moving it away {_ANEW}"
        )
    journals = [f"{JOURNAL}.{n}" for n in generations(names, JOURNAL)]
    if acknowledged or generations(names, SNAPSHOT) or any(_read(folder / name, files) for name in journals):
        raise _Flaw(SNAPSHOT, "is missing")


def generations(names: Iterable[str], kind: str, *, since: int = 0) -> list[int]:
    """N of every `kind.N` among the names, ascending."""
    numbers = [name.removeprefix(f"{kind}.") for name in names if name.startswith(f"{kind}.")]
    return sorted(int(n) for n in numbers if n.isdecimal() and n.isascii() and int(n) >= since)


def acknowledgement(revision: int) -> bytes:
    return line(("A", revision))


def _acknowledged(folder: Path, files: Files) -> int:
    """0 when there is no such file, or one that a power cut or worse left: it is only ever a second witness."""
    data = _read(folder / ACKNOWLEDGED, files) or b""
    text = unline(data.partition(b"\n")[0])
    match text and msgspec.json.decode(text):
        case ["A", int(revision)]:
            return revision
    return 0


def _way_back(folder: Path, files: Files) -> str:
    """What to do about a damaged folder: the latest state that can still be had, and the command that goes to it."""
    names = files.names(folder)
    backups = [f"{SNAPSHOT}.{n}" for n in reversed(generations(names, SNAPSHOT))]
    for source in (SNAPSHOT, *backups):
        try:
            head, state = read_snapshot(_read(folder / source, files) or b"")
        except (Damage, OSError):
            continue
        if head.format != FORMAT:
            continue
        steps = [("mv", f"{folder / source}", f"{folder / SNAPSHOT}")] if source != SNAPSHOT else []
        revision, more = _way_from(folder, files, names, head.generation, state.revision)
        commands = " && ".join(shlex.join(step) for step in [*steps, *more])
        return f"the last good backup is {source} with its journal, at revision {revision}; back to it: {commands}"
    return f"there is no good backup; moving {folder} away {_ANEW}"


def _way_from(
    folder: Path, files: Files, names: list[str], generation: int, revision: int
) -> tuple[int, list[tuple[str, ...]]]:
    """The last revision that can be reached from a snapshot, and what must be taken away behind it."""
    steps: list[tuple[str, ...]] = []
    damaged = False
    for number in sorted({generation, *generations(names, JOURNAL, since=generation)}):
        path = folder / f"{JOURNAL}.{number}"
        content = _read(path, files)
        if content is None:
            steps.append(("install", "-m", "600", "/dev/null", str(path)))
        elif damaged:
            steps.append(("rm", str(path)))
        else:
            found = read_journal(content, revision)
            revision = found.transactions[-1][0] if found.transactions else revision
            if found.damage:
                damaged = True
                steps.append(("truncate", "--size", str(found.whole), str(path)))
    if _acknowledged(folder, files) > revision:
        steps.append(("rm", str(folder / ACKNOWLEDGED)))
    return revision, steps
