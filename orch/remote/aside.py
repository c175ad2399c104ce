"""Work that blocks, done in threads that hold up neither the event loop nor the end of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from orch.remote.turn import Turn

T = TypeVar("T")

THREADS = 64
PATIENCE = 0.5
"""Seconds that work counts among those THREADS: silent name servers, say, must not fill them. It goes on, but others
begin. With a time-out of ten seconds there are never many more than a thousand."""


class Aside:
    """asyncio's own pool of threads is waited for at the end of the process, and what hangs there holds up the rest."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(THREADS)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. When this is cancelled, it goes on for nobody."""
        async with Turn(self._places) as turn:
            with turn.given_up_after(PATIENCE):
                return await _in_thread(work)


async def _in_thread(work: Callable[[], T]) -> T:
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        if not result.done():
            outcome()

    def run() -> None:
        outcome: Callable[[], None]
        try:
            outcome = partial(result.set_result, work())
        except Exception as error:
            outcome = partial(result.set_exception, error)
        with suppress(RuntimeError):  # The loop has ended meanwhile.
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await result
