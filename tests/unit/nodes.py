"""Nodes that understand just enough podman to have containers started and removed, and can fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from orch.errors import HostError
from orch.inventory.hosts import Host
from orch.inventory.login import Login
from orch.model.command import Command
from orch.model.node import NodeSpec
from orch.remote.frames import Result
from orch.remote.link import Link
from orch.remote.pool import Pool


def host(name: str) -> Host:
    return Host(name, Login(name), NodeSpec(name, name), "inventory.yml:1")


class Nodes(Pool):
    """`done` has each command as `NODE VERB CONTAINER` in the order in which they began; a container is known
    by its name, or by its id when it is removed. Of a script, `NODE sh ARGUMENT` has its first argument, but those
    that remove a replica's files are in `cleaned`, as `NODE FOLDER`. What `failing` names gets that answer or error
    instead; what is in `hanging` was ended by its node. `before` is awaited before each command that is in `done`."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.cleaned: list[str] = []
        self.commands: list[Command] = []
        self.timeouts: list[float] = []
        self.failing: dict[str, str | HostError] = {}
        self.hanging: set[str] = set()
        self.before: Callable[[str], Awaitable[None]] | None = None

    def link(self, host: Host) -> Link:
        return _Node(host, self)


class _Node(Link):
    def __init__(self, host: Host, nodes: Nodes) -> None:
        self.host, self._nodes = host, nodes

    async def run(self, command: Command, *, timeout: float, whole: bool = False) -> Result:
        self._nodes.commands.append(command)
        # Behind the guard, and the limit of time.
        words = command.argv[command.argv.index("timeout") + 4 :]
        if words[0] == "sh":
            script, argument = words[2], words[4]
            if "podman" not in script and "rm -rf" in script and not command.stdin:
                self._nodes.cleaned.append(f"{self.host.name} {argument}")
                return self._answer(f"{self.host.name} clean {argument}")
            what = f"{self.host.name} sh {argument}"
        else:
            verb = words[1]
            what = f"{self.host.name} {verb} {words[words.index('--name') + 1] if verb == 'run' else words[-1]}"
        self._nodes.done.append(what)
        self._nodes.timeouts.append(timeout)
        if self._nodes.before is not None:
            await self._nodes.before(what)
        return self._answer(what)

    def _answer(self, what: str) -> Result:
        failure = self._nodes.failing.get(what)
        if isinstance(failure, HostError):
            raise failure
        if what in self._nodes.hanging:
            return Result(124, b"", b"", 300.1)
        if failure is not None:
            return Result(125, b"", f"{failure}\n".encode() if failure else b"", 0.1)
        return Result(0, b"0123456789ab\n", b"", 0.1)
