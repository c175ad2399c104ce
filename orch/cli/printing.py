"""Printing in a thread of its own, so that output which nobody reads holds up nothing but the printing.

The loop puts jobs into a queue; the thread does them, writes down what failed, and calls the loop back.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from orch.cli.printers import HostResult, Printer

if TYPE_CHECKING:
    from orch.remote.stream import Sink

LIMIT = 1 << 20
"""Bytes that may wait to be printed. Of a host that prints more nothing is read until half of them are gone."""

_BATCH = 64 << 10
_LAST_SECONDS = 0.2
"""What is left of the output gets this to be printed when the rest has been given up."""


class _Job(msgspec.Struct, frozen=True):
    """`done` is resolved when `act` has run, well or not."""

    host: str
    act: Callable[[], None]
    size: int = 0
    done: asyncio.Future[None] | None = None


class Printing:
    """Hands everything on to a printer, in the order in which it comes. Use as `async with`."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._failed: dict[str, str] = {}
        self._broken: Exception | None = None
        self._given_up = False
        self._waiting = 0
        self._room: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Printing:
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        # No end of the program waits for this one: it may be writing to something that nobody ever reads.
        threading.Thread(target=self._print, name="printing", daemon=True).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.put(None)
        await asyncio.wait({self._ended}, timeout=_LAST_SECONDS)
        self._given_up = True

    def sink(self, host: str) -> Sink:
        """Takes what the host's command prints, at once. Raises ValueError and BrokenPipeError as the printer does,
        if later."""
        take = self._printer.sink(host)

        def post(data: bytes, stderr: bool) -> asyncio.Future[None] | None:
            if self._broken is not None:
                raise self._broken
            if host in self._failed:
                raise ValueError(self._failed[host])
            self._waiting += len(data)
            self._jobs.put(_Job(host, partial(take, data, stderr), len(data)))
            if self._waiting <= LIMIT:
                return None
            if self._room is None:
                self._room = self._loop.create_future()
            return self._room

        return post

    async def settle(self, host: str) -> str | None:
        """Wait until all that came of the host is printed or kept; why it cannot be, if so.

        Raises BrokenPipeError when nobody reads on.
        """
        await self._handled(host, lambda: None)
        return self._failed.get(host)

    async def finish(self, result: HostResult) -> None:
        """Returns when that is printed which can be. Raises as `settle` does."""
        await self._handled(result.host, partial(self._printer.finish, result))

    async def _handled(self, host: str, act: Callable[[], None]) -> None:
        done = self._loop.create_future()
        self._jobs.put(_Job(host, act, done=done))
        await done

    def _print(self) -> None:
        """The thread. `_handle` hears of each batch of jobs, in the loop's own thread."""
        ended = False
        while not ended:
            jobs, ended = self._batch()
            for job in jobs:
                self._act(job)
            try:
                self._loop.call_soon_threadsafe(self._handle, jobs, ended)
            except RuntimeError:  # The loop has been closed: all this is given up.
                return

    def _batch(self) -> tuple[list[_Job], bool]:
        """The next jobs, and whether they are the last: as many as are there, so that the loop is woken seldom."""
        jobs, size = list[_Job](), 0
        while size < _BATCH and not (jobs and self._jobs.empty()):
            if (job := self._jobs.get()) is None:
                return jobs, True
            jobs.append(job)
            size += job.size
        return jobs, False

    def _act(self, job: _Job) -> None:
        is_output = job.done is None
        if self._broken is not None or self._given_up or (is_output and job.host in self._failed):
            return
        try:
            job.act()
        except ValueError as error:
            self._failed[job.host] = str(error)
        except Exception as error:  # Whatever it is, the loop must not wait for ever.
            self._broken = error

    def _handle(self, jobs: list[_Job], ended: bool) -> None:
        self._waiting -= sum(job.size for job in jobs)
        ready = [job.done for job in jobs if job.done is not None]
        if self._room is not None and (self._waiting <= LIMIT // 2 or self._broken is not None):
            ready.append(self._room)
            self._room = None
        if ended:
            self._ended.set_result(None)
        for future in ready:
            if future.done():
                continue
            if self._broken is not None:
                future.set_exception(self._broken)
            else:
                future.set_result(None)
