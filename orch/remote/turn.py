"""Whose turn it is, and whose time runs: what is shared by those who do the same at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType


class Turn(AbstractAsyncContextManager["Turn"]):
    """One of a limited number of places; may be given up and taken again."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self.held = False

    async def __aenter__(self) -> Turn:
        await self.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_up()

    async def take(self) -> None:
        if not self.held:
            await self._places.acquire()
            self.held = True

    def give_up(self) -> None:
        if self.held:
            self._places.release()
            self.held = False

    @contextmanager
    def given_up_after(self, seconds: float) -> Iterator[None]:
        """The place goes to others when what is done meanwhile takes longer."""
        patience = asyncio.get_running_loop().call_later(seconds, self.give_up)
        try:
            yield
        finally:
            patience.cancel()


class Clock:
    """A host's time, which stands still while others are waited for."""

    def __init__(self, limit: asyncio.Timeout, seconds: float) -> None:
        self._limit, self.seconds = limit, seconds

    @asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        self._limit.reschedule(None)
        try:
            yield
        finally:
            self._limit.reschedule(asyncio.get_running_loop().time() + self.seconds)
