"""Stores whose files are changed afterwards: each byte, and each length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from orch.errors import StateError
from orch.store.load import ACKNOWLEDGED, JOURNAL, SNAPSHOT
from tests.crash.work import Model, opened

SINGLE_BITS = (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF)
MEANINGS = b'\0\n "[],0a'
"""Bytes that mean something in the files; every other one is changed to each of them."""


class Rot(msgspec.Struct):
    """Stores looked at; how many of them were `refused`, and what was wrong with those that were neither refused nor
    right."""

    looked_at: int = 0
    refused: int = 0
    wrong: list[str] = msgspec.field(default_factory=list)


class Rotten:
    """A small store with a backup, a snapshot and a journal, of which one byte or the length is changed at a time."""

    def __init__(self, folder: Path, patterns: tuple[int, ...] = SINGLE_BITS, meanings: bytes = MEANINGS) -> None:
        self._folder, self._patterns, self._meanings = folder, patterns, meanings
        self._model = Model(texts=(10,))
        folder.mkdir()
        store = opened(folder)
        for commits in (2, 2, 4):
            if store.revision:
                store.compact()
            for _ in range(commits):
                self._model.commit_next(store)
        store.close()
        self._revision = store.revision
        self.journal = folder / max(path.name for path in folder.glob(f"{JOURNAL}.*"))

    def change_all(self) -> Rot:
        """Each byte and each length of each file that is read: the last state or a refusal is right."""
        found = Rot()
        for path in (self._folder / SNAPSHOT, self.journal, self._folder / ACKNOWLEDGED):
            self._change(path, (*self._flips(path.read_bytes()), *_cuts(path.read_bytes())), found)
        return found

    def change_without_witness(self) -> Rot:
        """As after a power cut that took the witness along: the journal alone tells how far it went. What was cut off
        then looks as if it had never been, and what became zero as if it had never reached the disk."""
        found = Rot()
        (self._folder / ACKNOWLEDGED).unlink()
        flips = self._flips(self.journal.read_bytes())
        self._change(self.journal, [flip for flip in flips if b"\0" not in flip[1]], found)
        return found

    def _flips(self, content: bytes) -> Iterator[tuple[str, bytes]]:
        for position, byte in enumerate(content):
            for other in sorted({*(byte ^ pattern for pattern in self._patterns), *self._meanings} - {byte}):
                yield f"byte {position} made {other:#x}", content[:position] + bytes((other,)) + content[position + 1 :]

    def _change(self, path: Path, changes: Iterable[tuple[str, bytes]], found: Rot) -> None:
        content = path.read_bytes()
        for what, changed in changes:
            path.write_bytes(changed)
            found.looked_at += 1
            try:
                wrong = self._model.wrong(opened(self._folder), self._revision, self._revision)
            except StateError as error:
                found.refused += 1
                wrong = "" if str(error).startswith(str(path)) else f"another file is named: {error}"
            if wrong:
                found.wrong.append(f"{path.name}: {what}: {wrong}")
        path.write_bytes(content)


def _cuts(content: bytes) -> Iterator[tuple[str, bytes]]:
    for length in range(len(content)):
        yield f"cut to {length} bytes", content[:length]
