"""The way to a host, with a gate in it: our first words go out at once, so that also a server is reached that waits for
them; the host's are kept back while a place among those who shake hands is waited for.

A silent host gives up its place after PATIENCE, whichever way leads to it: a socket, a channel of its jump host, a
proxy command. asyncssh takes a Way for a tunnel.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, cast

import asyncssh

from orch.remote.dial import Dialer
from orch.remote.pipe import abort_late
from orch.remote.target import Target
from orch.remote.turn import Clock, Turn

PATIENCE = 0.3
"""Seconds that a host may hold a place before it has said anything: dead ones must not fill them."""


class Transport(Protocol):
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Gate(asyncio.Protocol):
    """Stands between a transport and asyncssh's connection, and keeps what comes until it is opened."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self.connection = connection
        self.knocked = asyncio.Event()
        """Something has come: data, or the end."""
        self._made = False
        self._kept: list[Callable[[], object]] | None = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made = True
        self.connection.connection_made(transport)

    def session_started(self) -> None:
        """Called by a channel."""

    def data_received(self, data: bytes, datatype: asyncssh.DataType = None) -> None:
        if self._kept is None:
            self.connection.data_received(data)
        else:
            self._keep(partial(self.connection.data_received, data))

    def eof_received(self) -> None:
        self._keep(self.connection.eof_received)

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep(partial(self.connection.connection_lost, exc))

    def _keep(self, event: Callable[[], object]) -> None:
        if self._kept is None:
            event()
        else:
            self._kept.append(event)
            self.knocked.set()

    def open(self) -> None:
        kept, self._kept = self._kept or [], None
        for event in kept:
            event()

    async def drop(self) -> None:
        """The connection is not wanted any more."""
        if self._made:
            self.connection.abort()
            await self.connection.wait_closed()


Open = Callable[[Gate], Awaitable[Transport]]
"""Makes the transport behind a gate."""


class Way:
    def __init__(self, open_: Open, turn: Turn, clock: Clock) -> None:
        """`turn` is held when a connection is made."""
        self._open, self._turn, self._clock = open_, turn, clock

    async def create_connection(
        self, factory: Callable[[], asyncssh.SSHClientConnection], host: str, port: int
    ) -> tuple[Transport, asyncssh.SSHClientConnection]:
        """Returns when the host has said something and has its turn. Raises what opening the way does."""
        gate = Gate(factory())
        try:
            with self._turn.given_up_after(PATIENCE):
                transport = await self._open(gate)
                await gate.knocked.wait()
            await self._take_turn(transport)
        except BaseException:
            await gate.drop()
            raise
        gate.open()
        if isinstance(transport, asyncio.Transport):
            transport.set_protocol(gate.connection)
        return transport, gate.connection

    async def _take_turn(self, transport: Transport) -> None:
        async with self._clock.stopped():
            if not self._turn.held:
                # What comes meanwhile stays with the system; the gate has only what has come already.
                transport.pause_reading()
                await self._turn.take()
                transport.resume_reading()


def by_socket(dialer: Dialer, target: Target) -> Open:
    async def open_(gate: Gate) -> Transport:
        made = await dialer.dial(target)
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: gate, sock=made)
        except BaseException:
            made.close()
            raise
        return transport

    return open_


def by_jump(jump: asyncssh.SSHClientConnection, target: Target) -> Open:
    async def open_(gate: Gate) -> Transport:
        session = cast(Any, lambda: gate)
        opening = asyncio.ensure_future(jump.create_connection(session, target.address, target.port))
        try:
            channel, _ = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The jump host may still get through, and would keep the channel for ever.
            opening.add_done_callback(abort_late)
            raise
        return channel

    return open_


def by_command(command: str) -> Open:
    async def open_(gate: Gate) -> Transport:
        # Through a shell, as ssh does; what it says on standard error is no part of the connection.
        _, process = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Process(gate),
            *("/bin/sh", "-c", command),
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        # Closed, and waited for, with the connection.
        gate.connection.set_tunnel(process)
        return process

    return open_


class _Process(asyncio.SubprocessProtocol):
    """asyncio's side of a proxy command, and asyncssh's transport."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._ended = asyncio.Event()
        self._killed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._process.get_pipe_transport(0))
        self._stdout = cast(asyncio.ReadTransport, self._process.get_pipe_transport(1))
        self._gate.connection_made(cast(asyncio.BaseTransport, self))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._gate.data_received(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        # Standard input ends with the process, and what it said last may still be on its way.
        if fd == 1:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when the process has ended and is done with: whoever is told so may end the event loop."""
        self._process.close()
        self._gate.connection_lost(exc)
        self._ended.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes) -> None:
        if not self._stdin.is_closing():
            self._stdin.write(data)

    def pause_reading(self) -> None:
        self._stdout.pause_reading()

    def resume_reading(self) -> None:
        self._stdout.resume_reading()

    def abort(self) -> None:
        if self._killed:
            return
        self._killed = True
        if self._process.get_returncode() is None:
            # With all that it has started: a command in a pipe does not end with its shell. (Its transport's own
            # `close` ends it too, and takes its exit status from asyncio, which then complains.)
            with suppress(ProcessLookupError):
                os.killpg(self._process.get_pid(), signal.SIGKILL)
        self._stdin.abort()
        self._stdout.close()

    def close(self) -> None:
        self.abort()

    async def wait_closed(self) -> None:
        await self._ended.wait()
