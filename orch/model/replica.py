"""Slots and the replicas that fill them."""

from __future__ import annotations

import base64
import hashlib

import msgspec

from orch.model.container import Port
from orch.model.instant import Instant
from orch.model.resources import Resources


class Slot(msgspec.Struct, frozen=True, order=True):
    """A service's numbered place, from 1. Written `shop/web.3`."""

    stack: str
    service: str
    number: int

    @property
    def container(self) -> str:
        """What containers that fill it are called."""
        return f"{self.stack}.{self.service}.{self.number}"

    def __str__(self) -> str:
        return f"{self.stack}/{self.service}.{self.number}"


class Replica(msgspec.Struct, frozen=True):
    """The record of one container that fills a slot, kept from before it is started until it is gone.

    A replica is never revived: what takes its place is another one, with `attempt` one higher. `request` is
    what it was placed with and `ports` what it opened on its node, each with its published number; both stay set aside
    for it until it is gone. `stop_grace` is in seconds. `planned_at` is when it was decided upon, and `failures` how
    many before it in its slot came to nothing, one after another.
    """

    id: str
    slot: Slot
    attempt: int
    node: str
    spec_hash: str
    request: Resources = Resources()
    stop_grace: int = 10
    ports: tuple[Port, ...] = ()
    planned_at: Instant = 0.0
    failures: int = 0

    @property
    def container(self) -> str:
        """The container's name on its node: the slot's, so that podman itself refuses a second one there."""
        return self.slot.container


def replica_id(cluster: str, slot: Slot, attempt: int) -> str:
    """The same for the same slot and attempt: 12 characters of base32 of a SHA-256 (60 bits)."""
    digest = hashlib.sha256(f"{cluster}/{slot}/{attempt}".encode()).digest()
    return base64.b32encode(digest)[:12].decode().lower()
