"""The connections of a fleet: one to each host, those to jump hosts shared."""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType

import asyncssh

from orch.errors import ConnectError, HostError
from orch.inventory.hosts import Host
from orch.remote.aside import Aside
from orch.remote.ask import Answers, Asker, Nobody
from orch.remote.connect import Access, connect
from orch.remote.dial import Dialer
from orch.remote.held import HeldConnection
from orch.remote.keys import KeyRing
from orch.remote.known import KnownHosts
from orch.remote.link import Link
from orch.remote.target import Target, target_of

CONNECT_TIMEOUT = 10.0


class Pool:
    """One link for each host, made when asked for. Use as `async with Pool() as pool`."""

    def __init__(
        self, *, connect_timeout: float = CONNECT_TIMEOUT, asker: Asker | None = None, accept_new: bool = False
    ) -> None:
        """`accept_new`: trust the key of a host of which none is known, and write it down."""
        answers = Answers(asker or Nobody())
        self._timeout = connect_timeout
        self._access = Access(answers, KeyRing(answers), KnownHosts(), accept_new)
        self._aside = Aside()
        self._dialer = Dialer(self._aside)
        self._links: dict[str, Link] = {}
        self._hops: dict[Target, HeldConnection] = {}

    def link(self, host: Host) -> Link:
        if host.name not in self._links:
            self._links[host.name] = Link(host, self._access, self._connect, self._timeout)
        return self._links[host.name]

    async def _connect(self, host: Host) -> asyncssh.SSHClientConnection:
        return await self._reach(host, await self._target(host))

    async def _target(self, host: Host) -> Target:
        """Aside, since ssh's configuration may run commands: `Match exec`."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._aside.run(lambda: target_of(host))
        except TimeoutError:
            raise ConnectError(
                host.name,
                f"ssh's configuration is not read within {self._timeout:g} s; does a command of `Match exec` hang?",
            ) from None

    async def _reach(self, host: Host, target: Target) -> asyncssh.SSHClientConnection:
        tunnel = await self._tunnel(host, target, target.jump) if target.jump else None
        return await connect(host, target, self._access, self._dialer, self._timeout, tunnel)

    async def _tunnel(self, host: Host, target: Target, jump: Target) -> asyncssh.SSHClientConnection:
        """Raises HostError for `host`, though another host may have been the first to meet the jump host's failure."""
        if jump not in self._hops:
            self._hops[jump] = HeldConnection(partial(self._reach, host, jump))
        try:
            return await self._hops[jump].get()
        except HostError as error:
            # Of each host its own, and of a jump host behind another none: many share it.
            place = "" if target.is_jump else f" ({host.place})"
            raise type(error)(host.name, f"its jump host cannot be used: {error.reason}{place}") from error

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(link.close() for link in self._links.values()), return_exceptions=True)
        await asyncio.gather(*(hop.close() for hop in self._hops.values()), return_exceptions=True)
        await self._access.keys.close()
