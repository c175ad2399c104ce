"""What a decision returns: actions, and what cannot be done with the reason."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from orch.model.instant import Instant
from orch.model.node import NodeSpec
from orch.model.replica import Replica
from orch.model.spec import ServiceSpec, StackSpec
from orch.model.volume import FileSpec, Volume, VolumeSpec


class Desired(msgspec.Struct, frozen=True):
    """What one cluster should be: its nodes as the inventory has them, the stacks wanted, the record of every
    replica that was ever started and is not known to be gone, and where volumes have their data."""

    cluster: str
    nodes: tuple[NodeSpec, ...] = ()
    stacks: tuple[StackSpec, ...] = ()
    replicas: tuple[Replica, ...] = ()
    volumes: tuple[Volume, ...] = ()

    def services(self) -> dict[tuple[str, str], ServiceSpec]:
        """(stack, service) → spec, sorted."""
        return {(stack.name, s.name): s for stack in sorted(self.stacks, key=lambda k: k.name) for s in stack.services}


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Record `replica`, then start its container on its node. `volumes` and `files` are those of its stack that its
    spec names."""

    replica: Replica
    spec: ServiceSpec
    why: str
    volumes: tuple[VolumeSpec, ...] = ()
    files: tuple[FileSpec, ...] = ()


class Remove(msgspec.Struct, frozen=True, tag="remove"):
    """Stop and remove a replica's container, then forget its record. `container` is empty while it is still being
    made: then that is ended first."""

    replica: Replica
    container: str
    why: str


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """Drop the record of a replica whose container is gone, once the files it may have left on its node are too."""

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
    """Actions in the order in which each node is to do them. `volumes`: where those have their data from now on that
    had none yet; to be recorded before anything is done. `again_at`: when time alone will call for more."""

    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    volumes: tuple[Volume, ...] = ()
    again_at: Instant | None = None
