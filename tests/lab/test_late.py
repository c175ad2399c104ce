"""Starts that outlive the command that asked for them: seen by the next one, ended by it, or refused by their node."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.model.fence import Fence
from orch.model.plan import Plan
from orch.model.spec import ServiceSpec
from tests.lab.direct import direct
from tests.lab.hosts import ORCH, Operator

STACK = """
services:
  web:
    image: localhost/busybox:latest
    command: sleep 1000
    stop_grace_period: 0s
    secrets: [key]
secrets:
  key: {environment: KEY}
"""
WAITING = (
    "mkfifo /run/up /run/go && mv /usr/bin/podman /usr/bin/podman.away && "
    "printf '%s\\n' '#!/bin/sh' '[ \"$1\" = run ] || exec podman.away \"$@\"' 'echo >/run/up' 'read -r _ </run/go' "
    "'exec podman.away \"$@\"' >/usr/bin/podman && chmod 755 /usr/bin/podman"
)
UNDO = "[ ! -e /usr/bin/podman.away ] || mv /usr/bin/podman.away /usr/bin/podman; rm -f /run/up /run/go"


class Held:
    """Every host's podman waits before it runs anything, and says so."""

    def __init__(self, op: Operator) -> None:
        self.op = op

    def apply(self) -> subprocess.Popen[str]:
        env = {**os.environ, **self.op.env}
        argv = [ORCH, "apply", "-f", self.op.file(STACK)]
        return subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def apply_and_die(self) -> str:
        """Begin an apply, and kill it while a host's podman is about to run; that host."""
        with self.apply() as apply:
            # The scheduler takes the first of equal nodes.
            self.op.lab.inside("w1", "sh", "-c", "read -r _ </run/up")
            apply.kill()
        return "w1"

    def go_on(self, host: str) -> None:
        """On return the start has come to its end."""
        script = "echo >/run/go; for ticket in /var/lib/orch/*/starting/*; do flock $ticket true; done"
        self.op.lab.inside(host, "sh", "-c", script)


@pytest.fixture
def held(op: Operator) -> Iterator[Held]:
    op.env["KEY"] = "a secret"
    for host in op.lab.hosts:
        op.lab.inside(host, "sh", "-c", WAITING)
    yield Held(op)
    for host in op.lab.hosts:
        op.lab.inside(host, "sh", "-c", UNDO)


def left_on(op: Operator, host: str) -> list[str]:
    """Containers, tickets and files."""
    tickets = op.lab.inside(
        host, "sh", "-c", "cd /var/lib/orch 2>/dev/null && find . -path '*/starting/*' -o -path '*/files/*'"
    )
    return [*op.containers(host), *tickets.split()]


def test_a_start_that_outlived_its_apply_is_seen_and_waited_for(op: Operator, held: Held) -> None:
    host = held.apply_and_die()

    (row,) = op.ps().values()
    assert (row["node"], row["state"], row["ready"]) == (host, "starting", False)
    assert op.orch("plan", "-f", op.file(STACK)).stdout == ""
    assert "shop" not in op.orch("apply", "-f", op.file(STACK), "--no-wait").stdout
    with held.apply() as apply:
        assert apply.stderr is not None
        # Only now it is known to wait.
        assert "waiting" in apply.stderr.readline()
        held.go_on(host)
        said = apply.stderr.read()
    assert apply.returncode == 0, said

    assert {name: list(op.containers(name)) for name in op.lab.hosts if op.containers(name)} == {
        host: [f"{Path(op.file(STACK)).parent.name}.web.1"]
    }


def test_a_start_that_fails_after_its_apply_is_made_anew(op: Operator, held: Held) -> None:
    host = held.apply_and_die()
    with held.apply() as apply:
        assert apply.stderr is not None
        assert "waiting" in apply.stderr.readline()
        # The one that waits is ended; the next one finds podman as it is.
        op.lab.inside(host, "sh", "-c", f"{UNDO}; pkill -f '[r]un --detach'")
        said = apply.stderr.read()
    assert apply.returncode == 0, said

    (row,) = op.ps().values()
    assert (row["node"], row["state"], row["ready"]) == (host, "running", True)


def test_a_start_that_outlived_its_apply_is_ended_with_its_stack(op: Operator, held: Held) -> None:
    host = held.apply_and_die()
    assert len(left_on(op, host)) > 1

    (stack,) = {row["stack"] for row in op.ps().values()}
    op.orch("rm", "--yes", stack)

    assert left_on(op, host) == []
    assert op.json("ps") == []
    assert op.lab.inside(host, "sh", "-c", "pgrep -f '[r]un --detach' || true") == ""


async def test_a_start_from_before_the_last_look_is_refused_by_its_node(op: Operator) -> None:
    async with direct(op) as at:
        run = at.start(ServiceSpec("web", "localhost/busybox:latest", command=("sleep", "1000")), "w1")
        assert [o.error for o in await at.do(run)] == [""]
        late = Fence(at.fence.owner, at.fence.term, at.fence.look - 1)

        outcomes = await at.executor.run(Plan((at.stop(run),)), {"w1": late}, lambda _: None)

        assert [o.error for o in outcomes] == ["a later command has been here meanwhile, and this one came to nothing"]
        assert list(op.containers("w1")) == [run.replica.container]
        assert [r.id for r in at.store.replicas()] == [run.replica.id]
