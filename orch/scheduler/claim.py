"""What is asked of nodes and what there is on them: all that the scheduler knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from orch.model.container import Port
from orch.model.node import Taint
from orch.model.placement import PlacementPolicy
from orch.model.replica import Slot
from orch.model.resources import Resources

ServiceName: TypeAlias = tuple[str, str]
"""(stack, service)"""


class Need(msgspec.Struct, frozen=True):
    """What each replica of a service asks of its node. `ports`: those it opens there by number. `volumes`: local ones,
    which have one home each; `external`: local ones that must be there already."""

    service: ServiceName
    request: Resources = Resources()
    policy: PlacementPolicy = PlacementPolicy()
    ports: tuple[Port, ...] = ()
    volumes: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    image: str = ""


class Held(msgspec.Struct, frozen=True):
    """What a replica occupies on its node."""

    request: Resources
    ports: tuple[Port, ...] = ()


class Claim(msgspec.Struct, frozen=True):
    """A slot that wants a node. On `preferred` its last replica ran; `held` is what that one still occupies there,
    which comes free when the claim is bound and only then. `pinned`: it may go nowhere but to `preferred`."""

    slot: Slot
    need: Need
    preferred: str | None = None
    held: Held | None = None
    pinned: bool = False


class Room(msgspec.Struct, frozen=True):
    """A node as the scheduler sees it. `closed` says why it takes nothing new, or is empty.

    `services`: how many replicas of each are there. `attributes`: what constraints and spreads may ask for, without
    those that are empty. `ports`: those taken, with who took them. `volumes`, None when nobody asked: those that are
    there. `images`: those that are known to be there.
    """

    name: str
    allocatable: Resources
    free: Resources
    services: Mapping[ServiceName, int] = msgspec.field(default_factory=dict)
    closed: str = ""
    attributes: Mapping[str, str] = msgspec.field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    ports: tuple[tuple[Port, str], ...] = ()
    images: frozenset[str] = frozenset()
    volumes: frozenset[str] | None = None
