"""Judging one recorded replica: may it stay as it is?"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from orch.controllers.service import Service
from orch.model.instant import Instant
from orch.model.node import Container, NodeObservation, Reachable, Unreachable
from orch.model.replica import Replica
from orch.model.spec import ServiceSpec


class Keep(msgspec.Struct, frozen=True):
    pass


class Retire(msgspec.Struct, frozen=True):
    """Not wanted any more."""

    why: str


class Replace(msgspec.Struct, frozen=True):
    """Its slot is wanted, and another replica must fill it. `failed`: it came to nothing by itself."""

    why: str
    failed: bool = False


class Stranded(msgspec.Struct, frozen=True):
    """Nothing can be known or done: its node does not answer. It keeps its slot and its room."""


class Lost(msgspec.Struct, frozen=True):
    """Its node has been given up: its slot is free. What is there is removed when the node comes back."""

    why: str


class Busy(msgspec.Struct, frozen=True):
    """It is being worked on, or another replica of its slot is: how it is now says nothing."""


class Delayed(msgspec.Struct, frozen=True):
    """It failed, and its successor has to wait; its slot and its room are kept until then."""

    why: str
    until: Instant


Verdict: TypeAlias = Keep | Retire | Replace | Stranded | Lost | Busy | Delayed

_KEEP = Keep()


def judge(
    replica: Replica,
    service: Service | None,
    node: NodeObservation | None,
    container: Container | None,
) -> Verdict:
    """`service` None: the slot is not wanted. `node` None: the node is not in the inventory any more.

    The container's own label counts beside the record, which may come from an old backup.
    """
    match node:
        case None if service is None:
            return Retire(f"not wanted, and {replica.node} has left the inventory")
        case None:
            return Replace(f"{replica.node} has left the inventory")
        case Unreachable():
            return Stranded()
        case Reachable(problem=problem) if problem:
            return Stranded()
        case _ if service is None:
            return Retire("not wanted any more")
        case _ if container is None:
            return Replace("its container is gone", failed=True)
        case _ if replica.spec_hash != service.hash or container.spec_hash != service.hash:
            return Replace(_change(container, service.spec))
        case _:
            return _judge_state(container, service)


def _change(container: Container, spec: ServiceSpec) -> str:
    if container.image != spec.image:
        return f"image {container.image} → {spec.image}"
    return "its specification changed"


def _judge_state(container: Container, service: Service) -> Verdict:
    match container.state:
        case "running" | "paused" | "starting":
            return _KEEP
        case "created" if container.started_at is not None:
            # podman sets a container that ran back to this when it first meets it after a boot, and keeps the time.
            return Replace("its host restarted")
        case "created":
            return Replace("it never started", failed=True)
        case "exited" if service.is_job or _finished(container, service.spec):
            return _KEEP
        case "exited":
            return Replace(f"it {exit_reason(container)}", failed=True)
        case state:
            return Replace(f"its container is {state}", failed=True)


def _finished(container: Container, spec: ServiceSpec) -> bool:
    """Whether staying dead is what the restart policy asks for."""
    match spec.restart.condition:
        case "no":
            return True
        case "on-failure":
            return container.exit_code == 0 or spec.restart.attempts > 0
        case _:
            return False


def exit_reason(container: Container) -> str:
    """`exited with 137, out of memory`."""
    memory = ", out of memory" if container.oom_killed else ""
    return f"exited with {container.exit_code}{memory}"
