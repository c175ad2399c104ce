"""What is wanted: stacks of services. Read from Compose files by orch.stackfile, kept by orch.store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Literal

import msgspec

from orch.model.container import ContainerOptions, FileMount, Healthcheck, Mount, NetworkUse, Port
from orch.model.placement import PlacementPolicy
from orch.model.resources import Resources
from orch.model.rollout import Dependency, UpdatePolicy
from orch.model.volume import FileSpec, VolumeSpec

RestartCondition = Literal["no", "on-failure", "always", "unless-stopped"]
PullPolicy = Literal["missing", "always", "never"]
Mode = Literal["replicated", "global", "replicated-job", "global-job"]


class RestartPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What podman does by itself. `attempts` counts restarts of one container and goes with on-failure alone; 0 means
    without end."""

    condition: RestartCondition = "no"
    attempts: int = 0


class ServiceSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One service. `command` None leaves the image's own; `limit` of 0 means none; `labels` are the containers',
    `service_labels` the service's own. `restart_delay` and `restart_window`, in seconds, are for whoever replaces what
    podman does not restart.

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
    pull: PullPolicy = "missing"
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    files: tuple[FileMount, ...] = ()
    ports: tuple[Port, ...] = ()
    networks: tuple[NetworkUse, ...] = ()
    healthcheck: Healthcheck | None = None
    options: ContainerOptions = ContainerOptions()
    mode: Mode = "replicated"
    restart_delay: float = 0.0
    restart_window: float = 0.0
    service_labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    placement: PlacementPolicy = PlacementPolicy()
    update: UpdatePolicy = UpdatePolicy()
    rollback: UpdatePolicy = UpdatePolicy()
    depends_on: tuple[Dependency, ...] = ()

    @property
    def hash(self) -> str:
        """Names what a replica is made from: two specs with one hash make equal containers.

        What concerns the service and not its containers is no part of it; 16 hex digits of a SHA-256.
        """
        host_ports = tuple(port for port in self.ports if port.mode == "host")
        told = without_defaults(msgspec.structs.replace(self, ports=host_ports))
        for field in _OF_THE_SERVICE:
            told.pop(field, None)
        return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()[:16]


_OF_THE_SERVICE = (
    "depends_on",
    "mode",
    "networks",  # As long as nothing is made of them.
    "placement",
    "pull",
    "replicas",
    "restart_delay",
    "restart_window",
    "rollback",
    "service_labels",
    "update",
)


def without_defaults(value: msgspec.Struct) -> dict[str, object]:
    """As plain data, the fields that differ from their defaults, at every depth. Equality counts and not identity, as
    msgspec's own way has it."""
    told: dict[str, object] = {}
    if (tag := value.__struct_config__.tag) is not None:
        told["type"] = tag
    for name, default in _defaults(type(value)):
        own = getattr(value, name)
        if own != default:
            told[name] = _plain_value(own)
    return told


@cache
def _defaults(kind: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    """Each field with its default. msgspec finds its annotations anew whenever it is asked, which takes long."""
    return tuple(
        (field.name, field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory())
        for field in msgspec.structs.fields(kind)
    )


def _plain_value(value: object) -> object:
    match value:
        case msgspec.Struct():
            return without_defaults(value)
        case tuple():
            return [_plain_value(entry) for entry in value]
        case _:
            return value


class NetworkSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A network of a stack. `name` is the whole fleet's; `external`: another stack's or an operator's."""

    key: str
    name: str
    external: bool = False
    internal: bool = False
    driver: str = ""
    options: Mapping[str, str] = msgspec.field(default_factory=dict)
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)


class StackSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One Compose project; everything in it is sorted by name."""

    name: str
    services: tuple[ServiceSpec, ...]
    volumes: tuple[VolumeSpec, ...] = ()
    files: tuple[FileSpec, ...] = ()
    networks: tuple[NetworkSpec, ...] = ()

    def service(self, name: str) -> ServiceSpec | None:
        return next((s for s in self.services if s.name == name), None)
