"""The form of what lies on the disk: lines with checksums, transactions, snapshots. Pure: bytes in, values out.

A line is the CRC-32 of its text as 8 hex digits, a space, the text (JSON, so without newline and NUL), a newline:

    snapshot                             journal.N, which goes on where the snapshot of generation N ends
    ["S",format,owner,N,revision]        ["table","id",revision,document or null when deleted]
    ["table","id",revision,document]     …
    …                                    ["C",revision,number of documents]: only now the transaction counts
    ["E",revision,number of documents]   …

Revisions count transactions, without gaps. A document's revision is that of the transaction that last changed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias
from zlib import crc32

import msgspec

FORMAT = 2
Document: TypeAlias = dict[str, Any]
Change: TypeAlias = tuple[str, str, Document | None]
"""Table, id, and the document that is there from now on."""

_Kept: TypeAlias = tuple[str, str, int, Document | None]
_End: TypeAlias = tuple[Literal["C"], int, int]
_kept: msgspec.json.Decoder[_Kept] = msgspec.json.Decoder(_Kept)
_end: msgspec.json.Decoder[_End] = msgspec.json.Decoder(_End)
_encode = msgspec.json.Encoder().encode


class State:
    """All documents and their revisions, by table and id; `revision` is that of the last transaction."""

    def __init__(self) -> None:
        self.revision = 0
        self.documents: dict[str, dict[str, Document]] = {}
        self.revisions: dict[str, dict[str, int]] = {}

    def apply(self, revision: int, changes: Iterable[Change]) -> None:
        for table, ident, document in changes:
            if document is None:
                self.documents.get(table, {}).pop(ident, None)
                self.revisions.get(table, {}).pop(ident, None)
            else:
                self.keep(table, ident, revision, document)
        self.revision = revision

    def keep(self, table: str, ident: str, revision: int, document: Document) -> None:
        try:
            self.documents[table][ident] = document
            self.revisions[table][ident] = revision
        except KeyError:
            self.documents[table] = {ident: document}
            self.revisions[table] = {ident: revision}


class Head(msgspec.Struct, frozen=True):
    """The first line of a snapshot: what state it is (`owner`), and which journal goes on from it."""

    format: int
    owner: str
    generation: int
    revision: int


class Damage(ValueError):
    """Bytes that nothing wrote so. `offset` is where they begin."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset, self.reason = offset, reason
        super().__init__(f"at byte {offset}: {reason}")


class JournalRead(msgspec.Struct, frozen=True):
    """What a journal says.

    `transactions` are whole; they take the first `whole` bytes. `clean`: there is nothing behind them. Otherwise there
    is either the beginning of a transaction that was never acknowledged, which does not count, or `damage`.
    """

    transactions: list[tuple[int, list[Change]]]
    whole: int
    clean: bool
    damage: Damage | None = None


def line(value: object) -> bytes:
    text = _encode(value)
    return b"%08x %s\n" % (crc32(text), text)


def unline(text: bytes) -> bytes | None:
    """The JSON of a line (without its newline), or None when it is not as it was written."""
    content = text[9:]
    return content if text[:9] == b"%08x " % crc32(content) else None


def encode_transaction(revision: int, changes: Iterable[Change]) -> bytes:
    """Raises TypeError or ValueError for what JSON cannot hold."""
    lines = [line((table, ident, revision, document)) for table, ident, document in changes]
    return b"".join([*lines, line(("C", revision, len(lines)))])


def encode_snapshot(owner: str, generation: int, state: State) -> bytes:
    lines = [line(("S", FORMAT, owner, generation, state.revision))]
    for table, documents in sorted(state.documents.items()):
        revisions = state.revisions[table]
        lines += [line((table, ident, revisions[ident], document)) for ident, document in documents.items()]
    lines.append(line(("E", state.revision, len(lines) - 1)))
    return b"".join(lines)


def read_head(data: bytes) -> Head:
    """Raises Damage."""
    text = unline(data[: data.find(b"\n")])
    match text and msgspec.json.decode(text):
        case ["S", int(form), str(owner), int(generation), int(revision)]:
            return Head(form, owner, generation, revision)
        case ["S", int(form), *_]:
            return Head(form, "", 0, 0)
    raise Damage(0, "its first line is not as it was written")


def read_snapshot(data: bytes) -> tuple[Head, State]:
    """Raises Damage when anything at all is not as it was written. Of another format only the head is read."""
    head, state, count = read_head(data), State(), 0
    if head.format != FORMAT:
        return head, state
    first = data.find(b"\n") + 1
    last = data.rfind(b"\n", 0, -1) + 1
    for offset, text in _lines(data, first, last):
        try:
            table, ident, revision, document = _kept.decode(unline(text) or b"")
        except msgspec.DecodeError:
            raise Damage(offset, "a line is not as it was written") from None
        if document is None or not 0 < revision <= head.revision:
            raise Damage(offset, "a document has no content or a revision of later")
        state.keep(table, ident, revision, document)
        count += 1
    if data[last:] != line(("E", head.revision, count)):
        raise Damage(last, "its end is missing")
    state.revision = head.revision
    return head, state


def _lines(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Every line from `start` to `end`, with its offset; the last may lack its newline."""
    lines = data[start:end].split(b"\n")
    if not lines[-1]:
        lines.pop()
    for text in lines:
        yield start, text
        start += len(text) + 1


def read_journal(data: bytes, revision: int) -> JournalRead:
    """Read a journal that goes on after `revision`."""
    transactions: list[tuple[int, list[Change]]] = []
    pending: list[Change] = []
    whole = 0

    def read(damage: Damage | None = None) -> JournalRead:
        return JournalRead(transactions, whole, whole == len(data), damage)

    for offset, text in _lines(data, 0, len(data)):
        entry = _entry(text)
        if entry is None:
            if _is_torn(data[offset:], revision + 1):
                return read()
            return read(Damage(offset, "a line is not as it was written, and it is not a write that was broken off"))
        if _revision(entry) != revision + 1:
            return read(Damage(offset, f"revision {revision + 1} is expected here"))
        if len(entry) == 4:
            pending.append((entry[0], entry[1], entry[3]))
        elif entry[2] != len(pending):
            return read(Damage(offset, f"of {entry[2]} documents of revision {revision + 1}, {len(pending)} are here"))
        else:
            revision += 1
            transactions.append((revision, pending))
            pending = []
            whole = offset + len(text) + 1
    return read()


def _entry(text: bytes) -> _Kept | _End | None:
    content = unline(text)
    if content is None:
        return None
    try:
        if content.startswith(b'["C",'):
            return _end.decode(content)
        return _kept.decode(content)
    except msgspec.DecodeError:
        return None


def _revision(entry: _Kept | _End) -> int:
    return entry[1] if len(entry) == 3 else entry[2]


def _is_torn(rest: bytes, revision: int) -> bool:
    """Is this what a power cut leaves of the transaction `revision` while it is written?

    Then nothing of a later one follows, and what is wrong is that bytes are missing: the end of the last line, or
    blocks that never reached the disk and read as zeros. Anything else was changed after it was written.
    """
    ended = False
    for _, text in _lines(rest, 0, len(rest)):
        if (entry := _entry(text)) is None:
            continue
        if ended or _revision(entry) != revision:
            return False
        ended = len(entry) == 3
    if b"\0" in rest:
        return True
    # Whole but for its last byte is a line whose newline was changed.
    return b"\n" not in rest and unline(rest[:-1]) is None
