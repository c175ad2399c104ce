"""A connected socket to a host that has begun to speak, and the limit on how many hosts are dealt with at once."""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any

import aiohappyeyeballs

from orch.remote.netns import socket_in
from orch.remote.target import Target

HANDSHAKES = 50
"""Connections being set up at once; more gain nothing and overrun a common bastion."""

PATIENCE = 0.3
"""Seconds that a host may hold one of those places before it has said anything: dead ones must not fill them."""

_RESOLVERS = 32
_NEXT_ADDRESS = 0.25  # RFC 8305's delay before the next address is tried too.

_Found = tuple[Any, Any, int, str, Any]


class Turn(AbstractAsyncContextManager["Turn"]):
    """One place among those who set up connections; may be given up and taken again."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places, self._held = places, False

    async def __aenter__(self) -> Turn:
        await self.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_up()

    async def take(self) -> None:
        if not self._held:
            await self._places.acquire()
            self._held = True

    def give_up(self) -> None:
        if self._held:
            self._places.release()
            self._held = False


class Dialer:
    """Resolves names in threads of its own: where a name server is silent, nothing else shall wait for it."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(HANDSHAKES)
        self._resolving = asyncio.Semaphore(_RESOLVERS)

    def turn(self) -> Turn:
        return Turn(self._places)

    async def dial(self, target: Target, turn: Turn) -> socket.socket:
        """A socket whose other end has sent something. `turn` is given up when the host is silent for long; to go on,
        it has to be taken again.

        Raises OSError.
        """
        patience = asyncio.get_running_loop().call_later(PATIENCE, turn.give_up)
        try:
            made = await self._connected(target)
            try:
                await _readable(made)
                return made
            except BaseException:
                made.close()
                raise
        finally:
            patience.cancel()

    async def _connected(self, target: Target) -> socket.socket:
        found = await self._resolve(target)

        def socket_for(info: _Found) -> socket.socket:
            family, kind, protocol, _, _ = info
            return socket_in(target.netns, family) if target.netns else socket.socket(family, kind, protocol)

        return await aiohappyeyeballs.start_connection(
            found, happy_eyeballs_delay=_NEXT_ADDRESS, socket_factory=socket_for
        )

    async def _resolve(self, target: Target) -> list[_Found]:
        if _is_numeric(target.address):
            return _look_up(target.address, target.port, socket.AI_NUMERICHOST)
        async with self._resolving:
            return await _in_thread(lambda: _look_up(target.address, target.port, 0))


def allow_descriptors() -> None:
    """Let this process have as many open connections as the system's administrator allows it; the usual soft limit of
    1,024 is for programs that use select(2)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _look_up(address: str, port: int, flags: int) -> list[_Found]:
    return list(socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags))


async def _in_thread(work: Callable[[], list[_Found]]) -> list[_Found]:
    """In a thread of its own that holds up neither the end of the process nor anyone else's work."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[list[_Found]] = loop.create_future()

    def settle(found: list[_Found] | Exception) -> None:
        if not result.done():
            if isinstance(found, Exception):
                result.set_exception(found)
            else:
                result.set_result(found)

    def run() -> None:
        found: list[_Found] | Exception
        try:
            found = work()
        except Exception as error:
            found = error
        with suppress(RuntimeError):  # The loop has ended meanwhile.
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=run, name="resolver", daemon=True).start()
    return await result


def _is_numeric(address: str) -> bool:
    try:
        ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return True


async def _readable(made: socket.socket) -> None:
    """Until there is something to read, which is left there."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(made, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(made)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
