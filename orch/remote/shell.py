"""One persistent shell: a channel on which commands run one after another."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import time
from typing import cast

import asyncssh

from orch.errors import CommandError, ConnectError
from orch.remote.frames import Collector, Result, frame

MAX_OUTPUT = 64 << 20
"""Bytes that one command may print before its shell is given up; bulk data has channels of its own."""


class Session(asyncssh.SSHClientSession[bytes]):
    """The receiving end of the channel: hands what comes to the command that runs now."""

    def __init__(self) -> None:
        self._collector: Collector | None = None
        self._ended: asyncio.Future[None] | None = None
        self._closed_by: Exception | None = None
        self._last_words = bytearray()

    @property
    def closed(self) -> bool:
        return self._closed_by is not None

    def begin(self, collector: Collector) -> asyncio.Future[None]:
        self._collector = collector
        self._ended = asyncio.get_running_loop().create_future()
        if self._closed_by is not None:
            self._ended.set_exception(self._closed_by)
        return self._ended

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        stderr = datatype == asyncssh.EXTENDED_DATA_STDERR
        if stderr:
            self._last_words = (self._last_words + data)[-2000:]
        if self._collector is None or self._ended is None or self._ended.done():
            return
        try:
            if self._collector.feed(data, stderr=stderr):
                self._ended.set_result(None)
        except ValueError as error:
            self._ended.set_exception(error)

    def exit_status_received(self, status: int) -> None:
        # The channel itself stays open for as long as a child of the shell holds its output.
        self._close(None)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._close(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._close(exc)

    def _close(self, error: Exception | None) -> None:
        """Without an error it is the shell that ended, and not the connection under it."""
        said = bytes(self._last_words).decode(errors="replace").strip()
        self._closed_by = error or EOFError(said or "the shell ended")
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(self._closed_by)


class Shell:
    """Not for use by two tasks at once; `usable` turns False when a command broke it."""

    def __init__(self, host: str, channel: asyncssh.SSHClientChannel[bytes], session: Session) -> None:
        self._host, self._channel, self._session = host, channel, session
        self.usable = True

    @classmethod
    async def open(
        cls, host: str, connection: asyncssh.SSHClientConnection, become_user: str, *, timeout: float
    ) -> Shell:
        """A plain POSIX shell, as `become_user` through sudo without a password, or as the login user.

        Raises ConnectError when the host is lost or its login hangs, CommandError when it gives no shell.
        """
        command = "exec /bin/sh"
        if become_user:
            command = f"exec sudo -n -u {shlex.quote(become_user)} -- /bin/sh"
        try:
            async with asyncio.timeout(timeout):
                channel, session = await connection.create_session(Session, command, encoding=None)
        except TimeoutError:
            raise ConnectError(host, f"gives no shell within {timeout:g} s; is its disk stuck?") from None
        except (asyncssh.DisconnectError, OSError) as error:
            raise ConnectError(host, f"the connection was lost: {error}") from error
        except asyncssh.Error as error:
            raise CommandError(host, f"no shell could be opened: {error}") from error
        return cls(host, channel, cast(Session, session))

    @property
    def alive(self) -> bool:
        """Whether it can take a command: none broke it, and it did not end by itself."""
        return self.usable and not self._session.closed

    async def run(self, script: str, *, stdin: str = "", timeout: float) -> Result:
        """Run shell text to its end. Raises CommandError when it outlasts `timeout` seconds, says too much or
        ends the shell, ConnectError when the host is lost; the shell is then of no more use."""
        nonce = secrets.token_hex(16)
        collector = Collector(nonce, MAX_OUTPUT)
        began = time.monotonic()
        self.usable, ended = False, self._session.begin(collector)
        try:
            self._channel.write(frame(script, stdin, nonce))
            async with asyncio.timeout(timeout):
                await ended
        except TimeoutError:
            self.close()
            raise CommandError(self._host, f"gave no answer within {timeout:g} s") from None
        except (ValueError, EOFError) as error:
            self.close()
            raise CommandError(self._host, _plain(error)) from error
        except (OSError, asyncssh.Error) as error:
            self.close()
            raise ConnectError(self._host, f"the connection was lost: {error}") from error
        except asyncio.CancelledError:
            self.close()
            raise
        self.usable = True
        return Result(collector.status(), collector.stdout, collector.stderr, time.monotonic() - began)

    def close(self) -> None:
        self.usable = False
        self._channel.abort()


def _plain(error: Exception) -> str:
    text = str(error)
    if text.startswith("sudo:"):
        return f"{text.splitlines()[0]}; let this user run sudo without a password, or leave out ansible_become"
    return text
