"""The connections of a fleet."""

from __future__ import annotations

import asyncio
from types import TracebackType

from orch.inventory.hosts import Host
from orch.remote.keys import KeyRing
from orch.remote.link import Link

HANDSHAKES = 50
"""Connections being set up at once; more gain nothing and overrun a common bastion."""

CONNECT_TIMEOUT = 10.0


class Pool:
    """One link for each host, made when asked for. Use as `async with Pool() as pool`."""

    def __init__(self, *, connect_timeout: float = CONNECT_TIMEOUT) -> None:
        self._connect_timeout = connect_timeout
        self._keys = KeyRing()
        self._handshakes = asyncio.Semaphore(HANDSHAKES)
        self._links: dict[str, Link] = {}

    def link(self, host: Host) -> Link:
        if host.name not in self._links:
            self._links[host.name] = Link(host, self._keys, self._handshakes, self._connect_timeout)
        return self._links[host.name]

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(link.close() for link in self._links.values()), return_exceptions=True)
