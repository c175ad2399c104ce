"""One process on a host with its three streams, however it is reached: an SSH channel here, local.py has the other.

A Pipe is the end that is written to, a Wire the end that receives.
"""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Callable
from typing import Any, Protocol, cast

import asyncssh

from orch.errors import CommandError, ConnectError

Take = Callable[[bytes, bool], bool]
"""(data, whether it is of stderr) → whether all that was waited for has come. May raise ValueError, or
BrokenPipeError when whoever it is for is gone."""

_EARLY = 64 << 10
_LINGER = 1.0
_LONGEST_LINGER = 30.0
"""Seconds without, and in all, for output that comes after the exit status: a server sends the status at once, however
much its client still has to read; but a child in the background may hold the channel for ever."""


class Pipe(Protocol):
    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def abort(self) -> None: ...


class Gone(Exception):
    """The process ended while more was expected of it. `status` is None when it is not known."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        super().__init__(f"ended with status {status}")


class Lost(Exception):
    """The way to the process was lost. No OSError, so that it is not taken for one of ours."""


class Wire:
    """Hands what comes to whoever waits for it. What comes while nobody does is kept for the next, up to a limit."""

    def __init__(self) -> None:
        self._take: Take | None = None
        self._early: list[tuple[bytes, bool]] = []
        self._early_size = 0
        self._waiter: asyncio.Future[None] | None = None
        self.end: Exception | None = None
        """Gone when the process ended by itself, Lost when the way to it was lost."""
        self._status: int | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._exited_at: float | None = None
        self._heard_at = 0.0
        self._held = False
        self.closed = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    def expect(self, take: Take, *, fresh: bool = False) -> asyncio.Future[None]:
        """Done when `take` says so, failed with its ValueError or BrokenPipeError or with `end`.

        `fresh`: what came before is for nobody.
        """
        early, self._early, self._early_size = self._early, [], 0
        self._take = take
        self._waiter = asyncio.get_running_loop().create_future()
        if not fresh:
            for data, stderr in early:
                self.received(data, stderr)
        if self.end is not None and not self._waiter.done():
            self._waiter.set_exception(self.end)
        return self._waiter

    def received(self, data: bytes, stderr: bool) -> None:
        if self._exited_at is not None:
            self._heard_at = asyncio.get_running_loop().time()
        if self._take is None or self._waiter is None or self._waiter.done():
            if self._early_size < _EARLY:
                self._early.append((data, stderr))
                self._early_size += len(data)
            return
        try:
            if self._take(data, stderr):
                self._waiter.set_result(None)
        except (ValueError, BrokenPipeError) as error:
            self._waiter.set_exception(error)

    def exited(self, status: int | None) -> None:
        """The process has ended; what it wrote may still be on its way."""
        self._status = status
        self._linger_from_now()

    def hold(self) -> None:
        """Nothing is read for now, so nothing that is missing is late."""
        self._held = True
        if self._lingering is not None:
            self._lingering.cancel()

    def release(self) -> None:
        """It is read again."""
        self._held = False
        if self._exited_at is not None:
            self._linger_from_now()

    def _linger_from_now(self) -> None:
        self._exited_at = self._heard_at = asyncio.get_running_loop().time()
        if not self._held:
            self._linger(self._exited_at)

    def _linger(self, since: float) -> None:
        loop = asyncio.get_running_loop()
        until = min(self._heard_at + _LINGER, since + _LONGEST_LINGER)
        if loop.time() < until:
            self._lingering = loop.call_at(until, self._linger, since)
        else:
            self.ended(Gone(self._status))

    def lost(self, error: Exception | None) -> None:
        """No more will come, with an error or, without one, since the channel was closed in good order."""
        self.closed.set()
        self.ended(Gone(self._status) if error is None else Lost(str(error) or type(error).__name__))

    def ended(self, error: Exception) -> None:
        self.writable.set()
        if self.end is None:
            self.end = error
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(error)


class _Session(asyncssh.SSHClientSession[bytes]):
    """asyncssh's side of a Wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._wire.received(data, datatype == asyncssh.EXTENDED_DATA_STDERR)

    def pause_writing(self) -> None:
        self._wire.writable.clear()

    def resume_writing(self) -> None:
        self._wire.writable.set()

    def exit_status_received(self, status: int) -> None:
        self._wire.exited(status)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        number = getattr(signals, f"SIG{signal}", None)
        self._wire.exited(None if number is None else 128 + number)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost(exc)


async def open_channel(
    host: str, connection: asyncssh.SSHClientConnection, command: str, timeout: float
) -> tuple[Pipe, Wire]:
    """`command` is read by the user's login shell, whichever that is.

    Raises ConnectError when the host is lost or its login hangs, CommandError when it gives no channel.
    """
    wire = Wire()
    opening = asyncio.ensure_future(connection.create_session(lambda: _Session(wire), command, encoding=None))
    try:
        async with asyncio.timeout(timeout):
            channel, _ = await asyncio.shield(opening)
    except (TimeoutError, asyncio.CancelledError) as error:
        # A host that froze may still open it, and would count it among its sessions for ever.
        opening.add_done_callback(_abort_late)
        if isinstance(error, asyncio.CancelledError):
            raise
        raise ConnectError(host, f"gives no shell within {timeout:g} s; is its disk stuck?") from None
    except asyncssh.ChannelOpenError as error:
        raise CommandError(host, f"no shell could be opened: {error.reason}") from error
    except (asyncssh.DisconnectError, OSError) as error:
        raise ConnectError(host, f"the connection was lost: {error}") from error
    except asyncssh.Error as error:
        raise CommandError(host, f"no shell could be opened: {error}") from error
    return cast(Pipe, channel), wire


def _abort_late(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].abort()
