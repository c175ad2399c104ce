"""A connection that is opened when first needed and kept; its failure is remembered for a while."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import asyncssh

from orch.errors import HostError
from orch.remote.backoff import retry_delay


class HeldConnection:
    """Safe for many tasks at once: whoever comes while it is being opened waits for it, and whoever comes soon after
    a failure is told of it at once."""

    def __init__(self, opened: Callable[[], Awaitable[asyncssh.SSHClientConnection]]) -> None:
        self._opened = opened
        self._connection: asyncssh.SSHClientConnection | None = None
        self._opening = asyncio.Lock()
        self._failures = 0
        self._failure: tuple[float, HostError] | None = None

    async def get(self) -> asyncssh.SSHClientConnection:
        """Raises HostError."""
        async with self._opening:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            if self._failure is not None and time.monotonic() < self._failure[0]:
                raise self._failure[1]
            try:
                self._connection = await self._opened()
            except HostError as error:
                self._failures += 1
                self._failure = (time.monotonic() + retry_delay(self._failures, random.random()), error)
                raise
            self._failures, self._failure = 0, None
            return self._connection

    def drop(self) -> None:
        """Whoever uses it is told that it is lost; the next one opens another, at once."""
        self._failure = None
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            await self._connection.wait_closed()
            self._connection = None
