"""One input for many readers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from orch.cli.spread import SharedInput
from orch.errors import UsageError


async def whole(shared: SharedInput) -> bytes:
    return b"".join([chunk async for chunk in shared.chunks()])


async def test_all_readers_get_all_of_a_pipe_whenever_they_begin() -> None:
    reading, writing = os.pipe()
    data = os.urandom(3 << 20)
    async with SharedInput(reading) as shared:
        early = asyncio.create_task(whole(shared))
        await asyncio.to_thread(_write, writing, data)
        assert await early == data
        assert await whole(shared) == data
    os.close(reading)


async def test_a_reader_gets_what_is_there_before_the_end() -> None:
    reading, writing = os.pipe()
    async with SharedInput(reading) as shared:
        chunks = shared.chunks()
        os.write(writing, b"first")
        assert await anext(chunks) == b"first"
        os.write(writing, b"second")
        assert await anext(chunks) == b"second"
        os.close(writing)
        assert [chunk async for chunk in chunks] == []
    os.close(reading)


async def test_a_plain_file_and_nothing_at_all_can_be_read_too(tmp_path: Path) -> None:
    for data in (b"", b"x" * 200_000):
        (tmp_path / "file").write_bytes(data)
        with (tmp_path / "file").open("rb") as file:
            async with SharedInput(file.fileno()) as shared:
                assert await whole(shared) == data


async def test_leaving_while_the_input_goes_on_leaves_nothing_behind() -> None:
    reading, writing = os.pipe()
    async with SharedInput(reading):
        await asyncio.sleep(0)
    assert [t for t in asyncio.all_tasks() if t is not asyncio.current_task()] == []
    os.close(reading)
    os.close(writing)


async def test_an_input_that_breaks_off_is_no_input_that_ends() -> None:
    unreadable = os.open("/proc/self/mem", os.O_RDONLY)
    async with SharedInput(unreadable) as shared:
        with pytest.raises(UsageError, match="the standard input cannot be passed on whole"):
            await whole(shared)
    os.close(unreadable)


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)
