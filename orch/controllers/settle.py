"""Whether a replica that was started has come to rest, or why not yet, or why it never will. Pure.

A program that ends a moment after its start has not been deployed, though podman has started it; one that podman
restarts again and again is seen running most of the time. So a replica counts when it has run for SETTLE_SECONDS on
end, for RESTARTED_SECONDS where it had to be restarted, and where it has a healthcheck when that has passed.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from orch.controllers.replica import exit_reason
from orch.model.node import Container, NodeObservation, Reachable, Unreachable
from orch.model.quantities import show_memory
from orch.model.replica import Replica
from orch.model.spec import ServiceSpec

SETTLE_SECONDS = 1.0
"""Long enough for a wrong option or a missing file to end a program, short enough to be waited for every time."""

RESTARTED_SECONDS = 5.0
"""What Swarm watches a task for by default."""

_KILLED = 128 + 9
LOOPING = 5
"""Restarts after which nobody waits any longer."""


class Settled(msgspec.Struct, frozen=True):
    pass


class Waiting(msgspec.Struct, frozen=True):
    """Not yet; `why` is what to say if it stays so."""

    why: str


class Failed(msgspec.Struct, frozen=True):
    """It will not by itself. `unhealthy`: its check has more to say than its output."""

    why: str
    unhealthy: bool = False


Settling: TypeAlias = Settled | Waiting | Failed


def settling(replica: Replica, spec: ServiceSpec, node: NodeObservation | None) -> Settling:
    """`node` is the last look at the replica's node."""
    match node:
        case None:
            return Failed("its node has left the inventory")
        case Unreachable(reason=reason) | Reachable(problem=reason) if reason:
            return Failed(f"its node cannot say how it is: {reason}")
    assert isinstance(node, Reachable)
    container = next((c for c in node.containers if c.replica == replica.id), None)
    if container is None:
        return Failed("its container is gone")
    match container.state:
        case "running":
            return _running(container, node)
        case "paused":
            return Settled()
        case "starting":
            return Waiting("its start is under way; a pull may take its time")
        case "exited":
            return _exited(container, spec)
        case state:
            return Waiting(f"its container is {state}")


def _running(container: Container, node: Reachable) -> Settling:
    if container.health == "unhealthy":
        return Failed("its healthcheck fails", unhealthy=True)
    if container.health == "starting":
        return Waiting("its healthcheck has not passed yet")
    running = _seconds_running(container, node)
    if running < (RESTARTED_SECONDS if container.restarts else SETTLE_SECONDS):
        if container.restarts >= LOOPING:
            return Failed(f"it keeps ending: restarted {container.restarts} times")
        again = f", and was restarted {_times(container.restarts)}" if container.restarts else ""
        return Waiting(f"it has run for {max(0, running):.0f} s{again}")
    return Settled()


def _seconds_running(container: Container, node: Reachable) -> float:
    """Both times are by the node's own clock."""
    return node.at + node.facts.clock_skew - (container.started_at or 0)


def restart_reason(container: Container, node: Reachable) -> str:
    """`restarted 7 times`, of one that has been restarted and is not known to run well since; empty for others.

    With what it ended each time podman does not tell while it runs again.
    """
    well = container.state == "running" and _seconds_running(container, node) >= RESTARTED_SECONDS
    if not container.restarts or (well and container.restarts < LOOPING):
        return ""
    return f"restarted {_times(container.restarts)}"


def _exited(container: Container, spec: ServiceSpec) -> Settling:
    restart, reason = spec.restart, f"it {exit_reason(container)}"
    if container.exit_code == _KILLED and spec.limit.memory and not container.oom_killed:
        # Not every podman is told by the kernel.
        reason += f", killed, as for more memory than its limit of {show_memory(spec.limit.memory)}"
    again = restart.condition in {"always", "unless-stopped"} or (
        restart.condition == "on-failure" and container.exit_code != 0
    )
    if not again:
        return Settled() if container.exit_code == 0 else Failed(reason)
    if restart.condition == "on-failure" and restart.attempts and container.restarts >= restart.attempts:
        return Failed(f"{reason}, after {_times(container.restarts)} of starting it again")
    if container.restarts >= LOOPING:
        return Failed(f"it keeps ending: restarted {container.restarts} times, and {reason}")
    return Waiting(f"{reason}, and is restarted")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
