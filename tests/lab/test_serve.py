"""A resident master on real hosts: it notices, decides and acts without being asked."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orch.api.client import connected
from orch.api.wire import SOCKET
from orch.model.node import Reachable, Unreachable
from orch.model.view import View
from tests.lab.hosts import ORCH, Operator, heed_interrupts

STACK = """
name: shop
services:
  web:
    image: localhost/busybox:latest
    command: sleep 1000
    stop_grace_period: 0s
    deploy: {{replicas: {replicas}}}
"""
SECONDS = 60.0


class Served:
    """A master in the background, and whoever waits for what it does."""

    def __init__(self, op: Operator) -> None:
        self.op, self.folder = op, Path(op.env["ORCH_STATE"])
        self.start()

    def start(self) -> None:
        """On return it answers."""
        self.process = subprocess.Popen(
            [ORCH, "serve"],
            env={**os.environ, **self.op.env},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )
        assert self.process.stderr is not None
        assert self.process.stderr.readline().startswith("serving ")

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """`said` is then what it printed since it answered."""
        self.process.send_signal(how)
        with self.process:
            assert self.process.stderr is not None
            self.said = self.process.stderr.read()
            return self.process.wait(10)

    async def until(self, so: Callable[[View], bool]) -> View:
        """The first view of which it is so."""
        async with asyncio.timeout(SECONDS), connected(self.folder) as client:
            assert client is not None
            async for view in client.watch():
                if so(view):
                    return view
        raise AssertionError("the master ended")

    async def running(self, count: int) -> View:
        """When so many replicas run as wanted, each in a slot of its own, on nodes that answer."""
        return await self.until(lambda view: len(running(view)) == count)


def running(view: View) -> dict[str, str]:
    """Slots with a running container that is the newest of its slot, and the node where it is."""
    newest = {replica.slot: replica for replica in view.desired.replicas}
    found = {}
    for name, seen in view.observed.items():
        for container in seen.containers if isinstance(seen, Reachable) else ():
            replica = newest.get(container.slot)
            if replica is not None and replica.id == container.replica and container.state == "running":
                found[str(container.slot)] = name
    return found


def everywhere(op: Operator) -> list[str]:
    """All running containers of all hosts, looked at from outside."""
    return sorted(
        name for host in op.lab.hosts for name, row in op.containers(host).items() if row["State"] == "running"
    )


@pytest.fixture
def served(op: Operator) -> Iterator[Served]:
    served = Served(op)
    yield served
    if served.process.poll() is None:
        assert served.end() == 0


async def test_commands_are_clients_of_the_master(op: Operator, served: Served) -> None:
    applied = op.apply(STACK.format(replicas=4))
    assert "4 of 4 replicas running, 4 changes" in applied.stderr
    assert (served.folder / SOCKET).stat().st_mode & 0o777 == 0o600
    assert {row["state"] for row in op.ps().values()} == {"running"}
    assert {row["state"] for row in op.json("nodes")} == {"ready"}

    assert "nothing to change" in op.apply(STACK.format(replicas=4)).stderr
    op.orch("scale", "shop/web=2")
    assert everywhere(op) == ["shop.web.1", "shop.web.2"]
    status = op.json("status")
    assert (status["pid"], status["health"]["nodes"]) == (served.process.pid, {"ready": 3})
    op.orch("rm", "--yes", "shop")
    assert everywhere(op) == []
    assert op.json("ps") == []


def test_what_cannot_be_started_is_told_as_by_a_command_of_its_own(op: Operator, served: Served) -> None:
    text = STACK.format(replicas=1).replace("busybox:latest", "nothing:1")
    there = op.apply(text, status=1).stderr
    assert served.end() == 0
    op.orch("rm", "--yes", "shop")

    assert "localhost/nothing:1" in there
    assert op.apply(text, status=1).stderr == there


def test_how_a_corrected_mistake_ends_is_told_and_not_the_mistake(op: Operator, served: Served) -> None:
    op.apply(STACK.format(replicas=1).replace("busybox:latest", "nothing:1"), status=1)

    corrected = op.apply(STACK.format(replicas=1))

    assert "nothing:1" not in corrected.stderr
    assert "1 of 1 replicas running" in corrected.stderr


async def test_what_is_removed_behind_its_back_is_made_again(op: Operator, served: Served) -> None:
    op.apply(STACK.format(replicas=3))
    before = await served.running(3)
    host = running(before)["shop/web.1"]

    op.lab.inside(host, "podman", "rm", "--force", "--time", "0", "shop.web.1")

    first = {r.id for r in before.desired.replicas}
    await served.until(lambda view: len(running(view)) == 3 and {r.id for r in view.desired.replicas} != first)
    assert everywhere(op) == ["shop.web.1", "shop.web.2", "shop.web.3"]


async def test_what_a_dead_node_had_moves_and_what_it_brings_back_goes(op: Operator, served: Served) -> None:
    op.apply(STACK.format(replicas=6))
    await served.running(6)
    op.lab.lab("kill", "w2")

    await served.until(lambda view: isinstance(view.observed["w2"], Unreachable) and len(running(view)) == 6)
    assert len(op.ps(status=3)) == 6
    assert "6 of 6 replicas running" in op.apply(STACK.format(replicas=6)).stderr

    op.lab.lab("start", "w2")
    await served.until(
        lambda view: (
            isinstance(view.observed["w2"], Reachable)
            and not view.observed["w2"].containers
            and len(view.desired.replicas) == 6
        )
    )
    assert everywhere(op) == [f"shop.web.{number}" for number in range(1, 7)]
    assert served.end() == 0
    assert "w2 is suspect: it has said nothing for 4.5 s" in served.said
    assert "w2 is unreachable: no answer from " in served.said
    assert re.search(r"^started shop/web\.\d on w[13]: w2 has not answered for 1\d s$", served.said, re.MULTILINE)
    assert re.search(r"^removed shop/web\.\d on w2: ", served.said, re.MULTILINE)
    assert "Traceback" not in served.said
    assert served.said.splitlines()[-1] == "ended; what runs on the nodes runs on"


async def test_a_master_that_reaches_nobody_moves_nothing(op: Operator, served: Served) -> None:
    op.apply(STACK.format(replicas=3))
    before = await served.running(3)
    op.lab.lab("cut", "w1", "w2")
    lost = await served.until(
        lambda view: all(
            isinstance(o, Unreachable) and not o.suspect for o in (view.observed["w1"], view.observed["w2"])
        )
    )
    # Not one second look more, but the time after which they would have moved.
    waited = await served.until(lambda view: _silent_for(view, 12.0))
    assert waited.desired.replicas == lost.desired.replicas == before.desired.replicas

    op.lab.lab("heal", "w1", "w2")
    after = await served.running(3)
    assert after.desired.replicas == before.desired.replicas


def _silent_for(view: View, seconds: float) -> bool:
    seen = view.observed["w1"]
    return isinstance(seen, Unreachable) and seen.since is not None and seen.at - seen.since > seconds


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
async def test_a_master_that_is_started_again_goes_on_and_restarts_nothing(
    op: Operator, served: Served, how: signal.Signals
) -> None:
    op.apply(STACK.format(replicas=3))
    before = await served.running(3)
    assert served.end(how) == (0 if how == signal.SIGTERM else -how)
    assert everywhere(op) == ["shop.web.1", "shop.web.2", "shop.web.3"]
    op.lab.inside("w1", "podman", "rm", "--force", "--all", "--time", "0")

    served.start()

    after = await served.running(3)
    kept = {r.id for r in before.desired.replicas if r.node != "w1"}
    assert kept <= {r.id for r in after.desired.replicas}
    assert everywhere(op) == ["shop.web.1", "shop.web.2", "shop.web.3"]


def test_one_state_has_one_master(op: Operator, served: Served) -> None:
    refused = op.orch("serve", status=1)
    assert f"in use by process {served.process.pid}" in refused.stderr
    assert served.end() == 0
    assert "no master runs for" in op.orch("status", status=4).stderr
