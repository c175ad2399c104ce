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
    by its name, or by its id when it is removed. What `failing` names gets that answer or error instead.
    `before` is awaited before each command."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.timeouts: list[float] = []
        self.failing: dict[str, str | HostError] = {}
        self.before: Callable[[str], Awaitable[None]] | None = None

    def link(self, host: Host) -> Link:
        return _Node(host, self)


class _Node(Link):
    def __init__(self, host: Host, nodes: Nodes) -> None:
        self.host, self._nodes = host, nodes

    async def run(self, command: Command, *, timeout: float, whole: bool = False) -> Result:
        podman = command.argv[command.argv.index("podman") + 1 :]
        container = podman[podman.index("--name") + 1] if podman[0] == "run" else podman[-1]
        what = f"{self.host.name} {podman[0]} {container}"
        self._nodes.done.append(what)
        self._nodes.timeouts.append(timeout)
        if self._nodes.before is not None:
            await self._nodes.before(what)
        failure = self._nodes.failing.get(what)
        if isinstance(failure, HostError):
            raise failure
        if failure is not None:
            return Result(125, b"", f"{failure}\n".encode(), 0.1)
        return Result(0, b"0123456789ab\n", b"", 0.1)
