"""A connected socket to a host, and the limit on how many hosts are dealt with at once."""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import socket
from typing import Any

import aiohappyeyeballs

from orch.remote.aside import Aside
from orch.remote.netns import socket_in
from orch.remote.target import Target
from orch.remote.turn import Turn

HANDSHAKES = 50
"""Connections being set up at once; more gain nothing and overrun a common bastion."""

_NEXT_ADDRESS = 0.25  # RFC 8305's delay before the next address is tried too.

_Found = tuple[Any, Any, int, str, Any]


class Dialer:
    """Names are resolved `aside`: where a name server is silent, nothing else shall wait for it."""

    def __init__(self, aside: Aside) -> None:
        self._aside = aside
        self._places = asyncio.Semaphore(HANDSHAKES)

    def turn(self) -> Turn:
        return Turn(self._places)

    async def dial(self, target: Target) -> socket.socket:
        """Raises OSError."""
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
        return await self._aside.run(lambda: _look_up(target.address, target.port, 0))


def allow_descriptors() -> None:
    """Let this process have as many open connections as the system's administrator allows it; the usual soft limit of
    1,024 is for programs that use select(2)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _look_up(address: str, port: int, flags: int) -> list[_Found]:
    return list(socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags))


def _is_numeric(address: str) -> bool:
    try:
        ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return True
