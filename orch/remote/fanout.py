"""The output of one stream as the input of many: each takes it at its own pace, and the slowest of them sets the pace
of the source."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from orch.errors import HostError

LIMIT = 4 << 20
"""Bytes that may wait for the slowest reader. All readers share them, so this is what a fan-out holds in all."""


class Fanout:
    """What comes before the first reader does is lost."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._readers: set[Reader] = set()
        self._room: asyncio.Future[None] | None = None
        self.passed = 0
        """Bytes that have come."""
        self.ended = False

    def reader(self) -> Reader:
        reader = Reader(self)
        self._readers.add(reader)
        return reader

    def feed(self, data: bytes) -> asyncio.Future[None] | None:
        """As a Sink. Raises BrokenPipeError when no reader is left."""
        if not self._readers:
            raise BrokenPipeError("nobody reads on")
        self.passed += len(data)
        for reader in self._readers:
            reader.give(data)
        if self._room is None and self._longest() > self._limit:
            self._room = asyncio.get_running_loop().create_future()
        return self._room

    def end(self, error: HostError | None = None) -> None:
        """Nothing more comes. With an error, readers that are not done yet raise it."""
        self.ended = True
        for reader in self._readers:
            reader.end(error)

    def drop(self, reader: Reader) -> None:
        """It takes no more, and holds up nobody."""
        self._readers.discard(reader)
        self.taken()

    def taken(self) -> None:
        if self._room is not None and self._longest() <= self._limit // 2:
            room, self._room = self._room, None
            if not room.done():
                room.set_result(None)

    def _longest(self) -> int:
        return max((reader.waiting for reader in self._readers), default=0)


class Reader:
    """One of those who take all that comes, as an async iterator of chunks."""

    def __init__(self, source: Fanout) -> None:
        self._source = source
        self._chunks: deque[bytes] = deque()
        self._ended = False
        self._error: HostError | None = None
        self._held = False
        """Whether a chunk was taken and nobody has come for the next."""
        self._news = asyncio.Event()
        self._moved_at = asyncio.get_running_loop().time()
        self.waiting = 0
        """Bytes that have come and were not taken yet."""

    def give(self, data: bytes) -> None:
        if not self._chunks and not self._held:
            self._moved_at = asyncio.get_running_loop().time()
        self._chunks.append(data)
        self.waiting += len(data)
        self._news.set()

    def end(self, error: HostError | None) -> None:
        self._ended, self._error = True, error
        self._news.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises the error with which the source ended."""
        while True:
            while not self._chunks and not self._ended:
                self._news.clear()
                await self._news.wait()
            if self._error is not None:
                raise self._error
            if not self._chunks:
                return
            data = self._chunks.popleft()
            self.waiting -= len(data)
            self._moved_at = asyncio.get_running_loop().time()
            self._source.taken()
            self._held = True
            yield data
            self._held = False

    async def stalled(self, seconds: float) -> None:
        """Returns once nothing was taken for so long although there was something to take, or to pass on."""
        loop = asyncio.get_running_loop()
        while True:
            idle = loop.time() - self._moved_at if self._chunks or self._held else 0.0
            if idle >= seconds:
                return
            await asyncio.sleep(seconds - idle)
