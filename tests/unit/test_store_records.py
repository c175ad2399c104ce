"""The form on the disk: what a torn write is, and what damage is."""

from __future__ import annotations

import pytest

from orch.store.records import (
    Change,
    Damage,
    Head,
    JournalRead,
    State,
    encode_snapshot,
    encode_transaction,
    line,
    read_journal,
    read_snapshot,
)

FIRST: list[Change] = [("stacks", "shop", {"name": "shop"}), ("replicas", "r1", {"node": "w1"})]
SECOND: list[Change] = [("stacks", "shop", None)]
THIRD: list[Change] = [("replicas", "r2", {"node": "w2"})]
ONE, TWO, THREE = encode_transaction(1, FIRST), encode_transaction(2, SECOND), encode_transaction(3, THIRD)


def read(data: bytes, revision: int = 0) -> JournalRead:
    return read_journal(data, revision)


def damage(data: bytes) -> str:
    found = read(data)
    assert found.damage is not None
    return str(found.damage)


def test_a_transaction_is_a_line_for_each_document_and_one_for_its_end() -> None:
    assert ONE == (
        b'75e8b633 ["stacks","shop",1,{"name":"shop"}]\n'
        b'33ab9587 ["replicas","r1",1,{"node":"w1"}]\n'
        b'1781fe8a ["C",1,2]\n'
    )


def test_no_line_has_a_newline_or_a_zero_in_it() -> None:
    assert line(["a\nb\0c"]).count(b"\n") == 1
    assert b"\0" not in line(["a\nb\0c"])


def test_whole_transactions_count() -> None:
    assert read(ONE + TWO) == JournalRead([(1, FIRST), (2, SECOND)], len(ONE + TWO), clean=True)
    assert read(b"") == JournalRead([], 0, clean=True)
    assert read(TWO, revision=1) == JournalRead([(2, SECOND)], len(TWO), clean=True)


def test_a_beginning_of_a_transaction_is_dropped_wherever_it_was_broken_off() -> None:
    following = encode_transaction(2, FIRST)
    for length in range(1, len(following) - 1):
        assert read(ONE + following[:length]) == JournalRead([(1, FIRST)], len(ONE), clean=False)


def test_a_transaction_that_lacks_only_its_last_newline_counts() -> None:
    found = read(ONE + TWO[:-1])
    assert (found.transactions, found.clean) == ([(1, FIRST), (2, SECOND)], False)


@pytest.mark.parametrize("start", [0, 1, 30, 60])
@pytest.mark.parametrize("length", [1, 20, 50])
def test_a_last_transaction_with_zeros_in_it_never_reached_the_disk(start: int, length: int) -> None:
    torn = bytearray(encode_transaction(2, FIRST))
    torn[start : start + length] = bytes(len(torn[start : start + length]))

    assert read(ONE + torn) == JournalRead([(1, FIRST)], len(ONE), clean=False)


def test_zeros_before_a_whole_transaction_are_damage() -> None:
    assert damage(ONE + bytes(len(TWO)) + THREE).startswith(f"at byte {len(ONE)}: a line is not as it was written")


@pytest.mark.parametrize("position", [0, 8, 9, 20, len(TWO) - 25, len(TWO) - 1])
def test_a_changed_byte_of_the_last_transaction_is_no_torn_write(position: int) -> None:
    changed = bytearray(TWO)
    changed[position] ^= 1

    assert "it is not a write that was broken off" in damage(ONE + changed)


def test_the_case_of_a_checksum_counts_too() -> None:
    text = line(["a"])
    upper = text[:8].upper() + text[8:]
    assert upper != text
    assert "not as it was written" in damage(ONE + upper + TWO)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (TWO, "at byte 0: revision 1 is expected here"),
        (ONE + THREE, f"at byte {len(ONE)}: revision 2 is expected here"),
        (ONE + ONE, f"at byte {len(ONE)}: revision 2 is expected here"),
        (b"".join(ONE.splitlines(keepends=True)[1:]) + TWO, "at byte 43: of 2 documents of revision 1, 1 are here"),
        (ONE + line(["stacks", "shop", 2]) + TWO, f"at byte {len(ONE)}: a line is not as it was written, and"),
        (ONE + line({"a": 1}) + TWO, f"at byte {len(ONE)}: a line is not as it was written, and"),
        (ONE + b"\n" + TWO, f"at byte {len(ONE)}: a line is not as it was written, and"),
    ],
    ids=["the first is missing", "one is missing", "one is there twice", "a line is missing", "too short", "no list",
         "an empty line"],
)  # fmt: skip
def test_what_no_writer_leaves_is_damage_though_its_checksums_are_right(data: bytes, told: str) -> None:
    assert damage(data).startswith(told)


def test_what_comes_before_damage_can_still_be_read() -> None:
    found = read(ONE + b"x" + TWO + THREE)
    assert (found.transactions, found.whole) == ([(1, FIRST)], len(ONE))


def state() -> State:
    made = State()
    made.apply(1, FIRST)
    made.apply(2, THIRD)
    made.apply(3, SECOND)
    return made


def test_a_snapshot_comes_back_with_all_revisions() -> None:
    head, found = read_snapshot(encode_snapshot("prod", 7, state()))

    assert head == Head(2, "prod", 7, 3)
    assert found.documents == {"replicas": {"r1": {"node": "w1"}, "r2": {"node": "w2"}}}
    assert found.revisions == {"replicas": {"r1": 1, "r2": 2}}
    assert found.revision == 3


def test_an_empty_snapshot_comes_back() -> None:
    head, found = read_snapshot(encode_snapshot("prod", 1, State()))
    assert (head, found.documents, found.revision) == (Head(2, "prod", 1, 0), {}, 0)


def test_of_another_format_only_the_head_is_read() -> None:
    assert read_snapshot(line(["S", 9, {"what": "ever"}]) + b"something")[0].format == 9


SNAPSHOT = encode_snapshot("prod", 7, state())
LINES = SNAPSHOT.splitlines(keepends=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"".join(LINES[:-1]),
        b"".join(LINES[1:]),
        LINES[0] + b"".join(LINES[2:]),
        SNAPSHOT + LINES[-1],
        SNAPSHOT + b"\n",
        SNAPSHOT[:-1],
        LINES[0] + line(["replicas", "r1", 4, {}]) + line(["E", 3, 1]),
        LINES[0] + line(["replicas", "r1", 1, None]) + line(["E", 3, 1]),
        LINES[0] + LINES[0] + line(["E", 3, 1]),
    ],
)
def test_a_snapshot_that_is_not_whole_is_damaged(data: bytes) -> None:
    with pytest.raises(Damage):
        read_snapshot(data)
