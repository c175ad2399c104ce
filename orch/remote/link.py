"""One host's connection: opened when first needed, its shells kept, its failure remembered for a while."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from orch.errors import CommandError, HostError
from orch.inventory.hosts import Host
from orch.model.command import Command
from orch.remote.connect import connect
from orch.remote.frames import Result
from orch.remote.keys import KeyRing
from orch.remote.shell import Shell

SHELLS = 4
"""Commands at once on one host: with podman, four take half the time of one after another, eight no less."""

RETRY_SECONDS = 15.0
"""A host that failed is not asked again for so long: its failure is told at once instead."""


class Link:
    """Safe for many tasks at once; commands beyond SHELLS wait for a free shell."""

    def __init__(self, host: Host, keys: KeyRing, handshakes: asyncio.Semaphore, connect_timeout: float) -> None:
        self.host = host
        self._keys, self._handshakes, self._connect_timeout = keys, handshakes, connect_timeout
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting = asyncio.Lock()
        self._failure: tuple[float, HostError] | None = None
        self._slots = asyncio.Semaphore(SHELLS)
        self._idle: list[Shell] = []

    async def run(self, command: Command, *, timeout: float) -> Result:
        """Run one command. Raises HostError when the host cannot be reached or the command has no end."""
        # `export` is the shell's own, and the shell reads it from its input: it is on no command line.
        exports = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in sorted(command.environment.items()))
        # `exec`: the subshell becomes the command instead of waiting for it.
        script = f"{exports}exec {shlex.join(command.argv)}"
        return await self.run_script(script, stdin=command.stdin, timeout=timeout)

    async def run_script(self, script: str, *, stdin: str = "", timeout: float) -> Result:
        """Run shell text, as `run` does."""
        async with self._shell() as shell:
            return await shell.run(script, stdin=stdin, timeout=timeout)

    @asynccontextmanager
    async def _shell(self) -> AsyncIterator[Shell]:
        async with self._slots:
            connection = await self._connected()
            self._idle = [shell for shell in self._idle if shell.alive]
            if self._idle:
                shell = self._idle.pop()
            else:
                become_user = self.host.login.become_user
                shell = await Shell.open(self.host.name, connection, become_user, timeout=self._connect_timeout)
            try:
                yield shell
            finally:
                if shell.usable:
                    self._idle.append(shell)

    async def _connected(self) -> asyncssh.SSHClientConnection:
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            self._idle.clear()
            if self._failure is not None and time.monotonic() < self._failure[0]:
                raise self._failure[1]
            try:
                async with self._handshakes:
                    self._connection = await connect(self.host, self._keys, self._connect_timeout)
            except HostError as error:
                self._failure = (time.monotonic() + RETRY_SECONDS, error)
                raise
            self._failure = None
            return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            await self._connection.wait_closed()
            self._connection = None


def succeeded(host: str, what: str, result: Result) -> Result:
    """`result` itself when its status is 0; otherwise raises CommandError with what the command said."""
    if result.status != 0:
        raise CommandError(host, f"{what}: {result.complaint}")
    return result
