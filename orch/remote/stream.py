"""One command on a channel of its own: its output handed on as it comes, its input streamed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from orch.errors import CommandError, ConnectError, HostError, OrchError
from orch.remote.frames import Beginning, stream_line
from orch.remote.pipe import Gone, Lost, Pipe, Wire
from orch.remote.shell import no_shell

Sink = Callable[[bytes, bool], asyncio.Future[None] | None]
"""(data, whether it is of stderr) → None, or what is done when there is room for more: until then nothing is read.

May raise ValueError when it can take no more, BrokenPipeError when it is gone; the future may fail with them.
"""

_KILLED = 128 + 9
_CLEANUP_SECONDS = 5.0


class Stream:
    """Runs once. `end_tree` ends a process of the host and everything below it."""

    def __init__(self, host: str, pipe: Pipe, wire: Wire, end_tree: Callable[[int], Awaitable[None]]) -> None:
        self._host, self._pipe, self._wire, self._end_tree = host, pipe, wire, end_tree
        self._pid = 0
        self._full = 0
        """For how many futures of the sink the reading waits."""
        self._heard_at = 0.0

    async def run(
        self,
        script: str,
        sink: Sink,
        stdin: AsyncIterator[bytes] | None,
        timeout: float,
        silence: float | None = None,
    ) -> int:
        """The exit status. Cancelled, after `timeout` seconds, or `silence` seconds without output, the command is
        ended on its host too.

        Raises CommandError when it outlasts them, ends the sink or its shell cannot run, ConnectError when the host
        is lost, BrokenPipeError as the sink does.
        """
        nonce = secrets.token_hex(16)
        beginning = Beginning(nonce)
        begun, ended = self._expect(beginning, sink)
        try:
            line = stream_line(script, nonce, wants_stdin=stdin is not None)
            async with asyncio.timeout(timeout):
                self._pipe.write(line)
                self._heard_at = asyncio.get_running_loop().time()
                if silence is not None:
                    self._listen(silence, ended)
                await asyncio.wait({begun, ended}, return_when=asyncio.FIRST_COMPLETED)
                return await self._finish(ended, stdin if begun.done() else None)
        except Gone as gone:
            if not self._pid:
                raise CommandError(self._host, no_shell(gone, beginning.said())) from gone
            return _KILLED if gone.status is None else gone.status
        except TimeoutError:
            await self._end(begun, ended)
            raise CommandError(self._host, f"was ended after {timeout:g} s") from None
        except ValueError as error:
            await self._end(begun, ended)
            raise CommandError(self._host, str(error)) from error
        except (BrokenPipeError, OrchError):
            await self._end(begun, ended)
            raise
        except Lost as error:
            raise ConnectError(self._host, f"the connection was lost: {error}") from error
        except asyncio.CancelledError:
            await asyncio.shield(self._end(begun, ended))
            raise
        finally:
            for future in (begun, ended):
                future.cancel()
            self._pipe.abort()

    def _expect(self, beginning: Beginning, sink: Sink) -> tuple[asyncio.Future[None], asyncio.Future[None]]:
        """Futures for the beginning of the command and for its end."""
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def pass_on(data: bytes, stderr: bool) -> None:
            self._heard_at = asyncio.get_running_loop().time()
            if (room := sink(data, stderr)) is not None:
                self._wait_for(room, ended)

        def take(data: bytes, stderr: bool) -> bool:
            if self._pid:
                pass_on(data, stderr)
            elif beginning.feed(data, stderr=stderr):
                self._pid = beginning.pid
                begun.set_result(None)
                for early in (False, True):
                    if rest := beginning.rest(stderr=early):
                        pass_on(rest, early)
            return False

        ended = self._wire.expect(take)
        return begun, ended

    def _wait_for(self, room: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        """Read nothing until there is room."""

        def go_on(room: asyncio.Future[None]) -> None:
            error = None if room.cancelled() else room.exception()
            self._full -= 1
            self._heard_at = asyncio.get_running_loop().time()
            if ended.done():
                return
            if error is not None:
                ended.set_exception(error)
            elif not self._full:
                self._wire.release()
                self._pipe.resume_reading()

        if not self._full:
            self._pipe.pause_reading()
            self._wire.hold()
        self._full += 1
        room.add_done_callback(go_on)

    def _listen(self, silence: float, ended: asyncio.Future[None]) -> None:
        """End the command once it has said nothing for so long. What nobody wants to hear now is not silent."""
        if ended.done():
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + silence if self._full else self._heard_at + silence
        if loop.time() < until:
            loop.call_at(until, self._listen, silence, ended)
        else:
            ended.set_exception(ValueError(f"was ended after it had printed nothing for {silence:g} s"))

    async def _finish(self, ended: asyncio.Future[None], stdin: AsyncIterator[bytes] | None) -> int:
        """Never returns a status by itself: `ended` always fails, with Gone in good order."""
        if stdin is None:
            return await _never(ended)
        feeding = asyncio.create_task(self._feed(stdin))
        try:
            await asyncio.wait({ended, feeding}, return_when=asyncio.FIRST_COMPLETED)
            if feeding.done():
                feeding.result()  # An input that breaks off is no input that ends.
            return await _never(ended)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _feed(self, stdin: AsyncIterator[bytes]) -> None:
        async for chunk in stdin:
            await self._wire.writable.wait()
            if self._wire.end is not None:
                return
            try:
                self._pipe.write(chunk)
            except BrokenPipeError:  # It takes no more; how it ended is still on its way.
                return
        self._pipe.write_eof()

    async def _end(self, begun: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        """Within a few seconds, whatever the host does."""
        with suppress(TimeoutError, HostError):  # The host is lost, and with it all that could be done.
            async with asyncio.timeout(_CLEANUP_SECONDS):
                if self._wire.end is None and not self._pid:
                    # It may run already, and word of that be on its way.
                    await asyncio.wait({begun, ended}, return_when=asyncio.FIRST_COMPLETED)
                if self._wire.end is None and self._pid:
                    await self._end_tree(self._pid)


async def _never(ended: asyncio.Future[None]) -> int:
    """`ended` always fails: with Gone when the process has ended."""
    await ended
    raise AssertionError("a stream ends with its process")
