"""What is wanted: stacks of services. Read from Compose files by orch.stackfile, kept by orch.store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from orch.model.resources import Resources

RestartCondition = Literal["no", "on-failure", "always", "unless-stopped"]


class RestartPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """`attempts` counts restarts of one container and goes with on-failure alone; 0 means without end."""

    condition: RestartCondition = "no"
    attempts: int = 0


class ServiceSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One service. `command` None leaves the image's own; `limit` of 0 means none.

    Defaults are left out of the hash, so a field that a later version adds changes none.
    """

    name: str
    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    replicas: int = 1
    request: Resources = Resources()
    limit: Resources = Resources()
    restart: RestartPolicy = RestartPolicy()
    stop_grace: int = 10

    @property
    def hash(self) -> str:
        """Names what a replica is made from: two specs with one hash make equal containers.

        The number of replicas is not part of it; 16 hex digits of a SHA-256.
        """
        told = _told(msgspec.structs.replace(self, replicas=1))
        return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()[:16]


def _told(value: msgspec.Struct) -> dict[str, object]:
    """The fields that differ from their defaults. Equality counts and not identity, as msgspec's own way has it."""
    told: dict[str, object] = {}
    for field in msgspec.structs.fields(value):
        own = getattr(value, field.name)
        made = field.default_factory is not msgspec.NODEFAULT
        if own != (field.default_factory() if made else field.default):
            told[field.name] = _told(own) if isinstance(own, msgspec.Struct) else own
    return told


class StackSpec(msgspec.Struct, frozen=True):
    """One Compose project; `services` are sorted by name."""

    name: str
    services: tuple[ServiceSpec, ...]

    def service(self, name: str) -> ServiceSpec | None:
        return next((s for s in self.services if s.name == name), None)
