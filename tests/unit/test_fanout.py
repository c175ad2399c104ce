"""One source, many readers: all get all, the slowest sets the pace, and whoever is dropped sets none."""

from __future__ import annotations

import asyncio

import pytest

from orch.errors import CommandError
from orch.remote.fanout import Fanout, Reader


async def read(reader: Reader) -> bytes:
    return b"".join([chunk async for chunk in reader.chunks()])


async def test_every_reader_gets_everything_in_order() -> None:
    fanout = Fanout()
    readers = [fanout.reader(), fanout.reader()]
    reading = [asyncio.create_task(read(reader)) for reader in readers]
    for number in range(100):
        fanout.feed(b"%d," % number)
        if number == 50:
            await asyncio.sleep(0)
    fanout.end()
    whole = b"".join(b"%d," % number for number in range(100))
    assert await asyncio.gather(*reading) == [whole, whole]
    assert (fanout.passed, fanout.ended) == (len(whole), True)


async def test_the_source_waits_while_the_slowest_has_too_much_before_it() -> None:
    fanout = Fanout(limit=100)
    fast, slow = fanout.reader(), fanout.reader()
    reading = asyncio.create_task(read(fast))
    assert fanout.feed(b"x" * 100) is None
    room = fanout.feed(b"x")
    assert room is not None
    chunks = slow.chunks()
    await asyncio.sleep(0)
    # The fast one has had all of it; that is no help.
    assert (fast.waiting, slow.waiting, room.done()) == (0, 101, False)
    assert fanout.feed(b"y" * 49) is room
    await anext(chunks)
    assert (slow.waiting, room.done()) == (50, True)
    assert fanout.feed(b"z") is None
    fanout.end()
    assert len(await reading) == 151


async def test_whoever_is_dropped_holds_up_nobody() -> None:
    fanout = Fanout(limit=10)
    kept, stuck = fanout.reader(), fanout.reader()
    reading = asyncio.create_task(read(kept))
    room = fanout.feed(b"x" * 20)
    assert room is not None
    await asyncio.sleep(0)
    assert not room.done()
    fanout.drop(stuck)
    assert room.done()
    fanout.end()
    assert await reading == b"x" * 20
    assert stuck.waiting == 20


async def test_without_readers_the_source_is_told() -> None:
    fanout = Fanout()
    fanout.drop(fanout.reader())
    with pytest.raises(BrokenPipeError):
        fanout.feed(b"x")


async def test_an_error_of_the_source_is_no_end_of_the_input() -> None:
    """What was there already is not handed on either: nobody can do anything with a part."""
    fanout = Fanout()
    reader = fanout.reader()
    fanout.feed(b"half")
    fanout.end(CommandError("w1", "broke"))
    with pytest.raises(CommandError, match="w1: broke"):
        await read(reader)


async def test_a_reader_stalls_when_it_has_something_and_does_not_take_it() -> None:
    fanout = Fanout()
    reader = fanout.reader()
    stalled = asyncio.create_task(reader.stalled(0.05))
    await asyncio.sleep(0.12)
    assert not stalled.done()  # There is nothing to take.
    fanout.feed(b"x")
    async with asyncio.timeout(2):
        await stalled


async def test_a_reader_stalls_when_it_does_not_come_back_for_more() -> None:
    fanout = Fanout()
    reader = fanout.reader()
    fanout.feed(b"last")
    fanout.end()
    assert await anext(reader.chunks()) == b"last"
    async with asyncio.timeout(2):
        await reader.stalled(0.05)
