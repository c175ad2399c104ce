"""What a decision returns: actions, and what cannot be done with the reason."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from orch.model.replica import Replica
from orch.model.spec import ServiceSpec, StackSpec


class Desired(msgspec.Struct, frozen=True):
    """All that the store holds of one cluster: the stacks wanted, and the record of every replica."""

    stacks: tuple[StackSpec, ...] = ()
    replicas: tuple[Replica, ...] = ()

    def service(self, stack: str, service: str) -> ServiceSpec | None:
        return next((s.service(service) for s in self.stacks if s.name == stack), None)


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Record `replica`, then start its container on its node."""

    replica: Replica
    spec: ServiceSpec
    why: str


class Remove(msgspec.Struct, frozen=True, tag="remove"):
    """Stop and remove a replica's container, then forget its record. `grace` in seconds."""

    replica: Replica
    container: str
    grace: int
    why: str


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """Drop the record of a replica whose container is gone; nothing happens on any node."""

    replica: Replica
    why: str


class Adopt(msgspec.Struct, frozen=True, tag="adopt"):
    """Record a container that runs what is wanted but of which no record exists."""

    replica: Replica
    why: str


Action: TypeAlias = Run | Remove | Forget | Adopt


class Refusal(msgspec.Struct, frozen=True):
    """`object` cannot be as wanted. `node` is set when one node is to blame, not the wish."""

    object: str
    reason: str
    node: str | None = None


class Plan(msgspec.Struct, frozen=True):
    """Actions in the order in which each node is to do them."""

    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
