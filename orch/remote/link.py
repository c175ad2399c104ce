"""All of one host: its connection, its shells, its streams."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import asyncssh

from orch.errors import CommandError
from orch.inventory.hosts import Host
from orch.model.command import Command
from orch.remote.become import Become, open_shell
from orch.remote.connect import Access
from orch.remote.frames import Result
from orch.remote.held import HeldConnection
from orch.remote.kill import end_tree
from orch.remote.local import open_process
from orch.remote.pipe import Pipe, Wire, open_channel
from orch.remote.shell import Shell
from orch.remote.stream import Sink, Stream

SHELLS = 4
"""Commands at once on one host: with podman, four take half the time of one after another, eight no less."""

_KILL_SECONDS = 5.0
_MOMENT = 2.0
"""Seconds that closing gives to the ends of commands that were cancelled: a host that is lost should cost no more."""

Connect = Callable[[Host], Awaitable[asyncssh.SSHClientConnection]]


class Link:
    """Safe for many tasks at once; commands beyond SHELLS wait for a free shell."""

    def __init__(self, host: Host, access: Access, connect: Connect, timeout: float) -> None:
        """`connect` opens a connection, within limits that all hosts share; `timeout`: seconds for a shell to open."""
        self.host = host
        self._access, self._timeout = access, timeout
        self._connection = HeldConnection(lambda: connect(host))
        self._slots = asyncio.Semaphore(SHELLS)
        self._idle: list[Shell] = []
        self._recovering: set[asyncio.Task[None]] = set()
        self._local: list[tuple[Pipe, Wire]] = []
        login = host.login
        become_user = "" if login.become_user == login.user else login.become_user
        self._become = Become(become_user, login.user or "you", login.become_password)

    async def open(self) -> None:
        """Connect, if that is still to be done. Raises HostError."""
        if self.host.login.connection == "ssh":
            await self._connection.get()

    async def run(self, command: Command, *, timeout: float, whole: bool = False) -> Result:
        """Run one command. Raises HostError when the host cannot be reached or the command has no end.

        Cancelled, it returns at once; the command is ended on the host meanwhile, and `close` waits for that a moment.
        `whole`: it runs on to its end instead, since half of it would be worse than all.
        """
        # `export` is the shell's own, and the shell reads it from its input: it is on no command line.
        exports = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in sorted(command.environment.items()))
        # `exec`: the subshell becomes the command instead of waiting for it.
        script = f"{exports}exec {shlex.join(command.argv)}"
        return await self._in_shell(script, command.stdin, timeout, whole=whole)

    async def run_script(self, script: str, *, stdin: str = "", timeout: float) -> Result:
        """Run shell text, as `run` does."""
        return await self._in_shell(script, stdin, timeout, whole=False)

    async def _in_shell(self, script: str, stdin: str, timeout: float, *, whole: bool) -> Result:
        async with self._shell(whole) as shell:
            return await shell.run(script, stdin=stdin, timeout=timeout)

    async def stream(
        self,
        script: str,
        sink: Sink,
        *,
        stdin: AsyncIterator[bytes] | None = None,
        timeout: float,
        silence: float | None = None,
    ) -> int:
        """Run shell text on a channel of its own, its output given to `sink` as it comes; returns the exit status.

        Cancelled, timed out or silent for `silence` seconds, the command is ended on the host. Raises HostError as
        `run` does.
        """
        pipe, wire = await self._open(self._become)
        ended = partial(self._end_tree, spare_root=False)
        return await Stream(self.host.name, pipe, wire, ended).run(script, sink, stdin, timeout, silence)

    @asynccontextmanager
    async def _shell(self, whole: bool) -> AsyncIterator[Shell]:
        await self._slots.acquire()
        shell: Shell | None = None
        try:
            self._idle = [shell for shell in self._idle if shell.alive]
            if self._idle:
                shell = self._idle.pop()
            else:
                pipe, wire = await self._open(self._become)
                shell = Shell(self.host.name, pipe, wire, partial(self._end_tree, spare_root=True))
            yield shell
        finally:
            if shell is not None and shell.cancelled and whole:
                shell.close()
            if shell is not None and shell.cancelled and not whole:
                task = asyncio.create_task(self._recover(shell))
                self._recovering.add(task)
                task.add_done_callback(self._recovering.discard)
            else:
                self._give_back(shell)

    async def _recover(self, shell: Shell) -> None:
        # It keeps its place meanwhile: a server allows so many sessions and no more.
        try:
            await shell.recover()
        finally:
            self._give_back(shell)

    def _give_back(self, shell: Shell | None) -> None:
        if shell is not None and shell.alive:
            self._idle.append(shell)
        self._slots.release()

    async def _open(self, become: Become) -> tuple[Pipe, Wire]:
        return await open_shell(self.host.name, self._channel, become, self._access.answers, self._timeout)

    async def _channel(self, command: str) -> tuple[Pipe, Wire]:
        if self.host.login.connection == "local":
            self._local = [(pipe, wire) for pipe, wire in self._local if not wire.closed.is_set()]
            self._local.append(await open_process(self.host.name, command))
            return self._local[-1]
        return await open_channel(self.host.name, await self._connection.get(), command, self._timeout)

    async def _end_tree(self, pid: int, *, spare_root: bool) -> None:
        pipe, wire = await self._open(self._become)
        killer = Stream(self.host.name, pipe, wire, _nothing)
        await killer.run(end_tree(pid, spare_root=spare_root), lambda data, stderr: None, None, _KILL_SECONDS)

    def drop(self) -> None:
        """Give the connection up, as one that says nothing any more; whatever comes next opens a fresh one."""
        self._connection.drop()

    async def close(self) -> None:
        if self._recovering:
            _, late = await asyncio.wait(self._recovering, timeout=_MOMENT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for shell in self._idle:
            shell.close()
        for pipe, _ in self._local:
            pipe.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILL_SECONDS):
                for _, wire in self._local:
                    await wire.closed.wait()
        await self._connection.close()


async def _nothing(pid: int) -> None:
    """What a killer leaves behind needs no killer."""


def succeeded(host: str, what: str, result: Result) -> Result:
    """`result` itself when its status is 0; otherwise raises CommandError with what the command said."""
    if result.status != 0:
        raise CommandError(host, f"{what}: {result.complaint}")
    return result
