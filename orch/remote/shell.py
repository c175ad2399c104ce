"""One persistent shell: a channel on which commands run one after another."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from orch.errors import CommandError, ConnectError, HostError
from orch.remote.frames import Beginning, Collector, Result, frame
from orch.remote.pipe import Gone, Lost, Pipe, Wire

MAX_OUTPUT = 64 << 20
"""Bytes that one command may print before its shell is given up; bulk data has channels of its own."""

_LAST_WORDS = 2000
_ENDED_SECONDS = 5.0
"""What a shell gets to say that its command, now killed, has ended."""


class Shell:
    """Not for use by two tasks at once. A command that is cancelled runs on until `recover` ends it, which whoever owns
    the shell must call: the one who cancels does not wait for a host. What a command leaves running in the background
    may still print into the next one's output. `end_tree` ends everything below a process of the host."""

    def __init__(self, host: str, pipe: Pipe, wire: Wire, end_tree: Callable[[int], Awaitable[None]]) -> None:
        self._host, self._pipe, self._wire, self._end_tree = host, pipe, wire, end_tree
        self._pid = 0
        self._usable = True
        self._begun = asyncio.Event()
        self._left: asyncio.Future[None] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether a command that nobody waits for any more may still run."""
        return self._left is not None

    async def recover(self) -> None:
        """End the command that was cancelled, within some seconds; afterwards the shell is alive again, or closed."""
        ended, self._left = self._left, None
        if ended is None:
            return
        # Of a shell that has only just been opened, the process is not known before it speaks.
        ended.add_done_callback(lambda _: self._begun.set())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENDED_SECONDS):
                    await self._begun.wait()
            await self._end_command(ended)
        finally:
            ended.cancel()
            if not self._usable:
                self.close()

    @property
    def alive(self) -> bool:
        """Whether it can take a command: none broke it, and it did not end by itself."""
        return self._usable and self._wire.end is None

    async def run(self, script: str, *, stdin: str = "", timeout: float) -> Result:
        """Run shell text to its end. A command that outlasts `timeout` seconds is ended on its host.

        Raises CommandError when it does, says too much or ends the shell, ConnectError when the host is lost.
        """
        nonce = secrets.token_hex(16)
        collector = Collector(nonce, MAX_OUTPUT)
        began = time.monotonic()
        try:
            data = frame(script, stdin, nonce, first=not self._pid)
        except ValueError as error:
            raise CommandError(self._host, str(error)) from error
        self._usable = False
        try:
            ended = self._expect(nonce, collector)
            self._pipe.write(data)
            await self._within(timeout, ended)
        except (ValueError, Gone, Lost) as error:
            self.close()
            raise self._explain(error, collector) from error
        except asyncio.CancelledError:
            self._left = ended
            raise
        except BaseException:
            if not self._usable:
                self.close()
            raise
        self._usable = True
        return Result(collector.status, collector.stdout, collector.stderr, time.monotonic() - began)

    def _expect(self, nonce: str, collector: Collector) -> asyncio.Future[None]:
        if self._pid:
            # What a child in the background printed since the last command is no part of this one.
            return self._wire.expect(lambda data, stderr: collector.feed(data, stderr=stderr), fresh=True)
        self._beginning = beginning = Beginning(nonce)

        def take(data: bytes, stderr: bool) -> bool:
            if self._pid:
                return collector.feed(data, stderr=stderr)
            if not beginning.feed(data, stderr=stderr):
                return False
            self._pid = beginning.pid
            self._begun.set()
            collector.feed(beginning.rest(stderr=True), stderr=True)
            return collector.feed(beginning.rest(stderr=False), stderr=False)

        return self._wire.expect(take)

    async def _within(self, timeout: float, ended: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(ended)
        except TimeoutError:
            await self._end_command(ended)
            raise CommandError(self._host, f"gave no answer within {timeout:g} s") from None

    async def _end_command(self, ended: asyncio.Future[None]) -> None:
        """Afterwards the shell is ready again, or else not usable."""
        if not self._pid:
            ended.cancel()
            return
        try:
            async with asyncio.timeout(_ENDED_SECONDS):
                await self._end_tree(self._pid)
                await ended
            self._usable = True
        except (TimeoutError, HostError, ValueError, Gone, Lost):
            ended.cancel()

    def _explain(self, error: Exception, collector: Collector) -> HostError:
        match error:
            case Gone() if not self._pid:
                return CommandError(self._host, no_shell(error, self._beginning.said()))
            case Gone():
                said = collector.stderr[-_LAST_WORDS:].decode(errors="replace").strip()
                return CommandError(self._host, said or "the shell ended")
            case ValueError():
                return CommandError(self._host, str(error))
            case _:
                return ConnectError(self._host, f"the connection was lost: {error}")

    def close(self) -> None:
        self._usable = False
        self._pipe.abort()


def no_shell(gone: Gone, said: str) -> str:
    """Why there is no /bin/sh at the other end of a channel that was opened."""
    last = said.splitlines()[-1] if said else f"it ended with status {gone.status}"
    return f"the login shell does not run commands: {last}; give this user a shell that does, such as /bin/sh"
