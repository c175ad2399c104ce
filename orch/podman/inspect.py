"""Asking podman for this cluster's containers, and reading the answer."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from orch.model.instant import Instant
from orch.model.node import Container, ContainerState
from orch.model.replica import Slot
from orch.podman.labels import CLUSTER, identity

LIST_SECONDS = 20

_FIELDS = (
    ".ID",  # As the field is called in podman; only a bare {{.Id}} is understood too.
    ".Name",
    ".State.Status",
    ".State.ExitCode",
    ".State.OOMKilled",
    ".State.StartedAt",
    ".RestartCount",
    ".Config.Labels",
    ".ImageName",
    ".NetworkSettings.Networks",
)
_HEALTH = '{{if .State.Health}}{{json .State.Health.Status}}{{else}}""{{end}}'
"""Without a check, podman 5 has nothing there to ask for a status."""

FORMAT = "container [" + ",".join([*(f"{{{{json {field}}}}}" for field in _FIELDS), _HEALTH]) + "]"
"""A Go template: one line for each container, a JSON list of the fields that `parse_container` reads."""

_STATES: dict[str, ContainerState] = {
    "configured": "created",
    "created": "created",
    "initialized": "created",
    "running": "running",
    "paused": "paused",
    "stopped": "exited",
    "stopping": "running",
    "exited": "exited",
    "removing": "removing",
}
_FRACTION = re.compile(r"\.(\d{6})\d*")


_Row = tuple[str, str, str, int, bool, str, int, dict[str, str], str, dict[str, dict[str, Any]] | None, str]


class ForeignContainer(Exception):
    """It has the labels of one of ours and another name: a copy that somebody made of it, and none of our business."""


def filter_of(cluster: str) -> str:
    """The value of `podman ps --filter` for the containers of one cluster."""
    return f"label={CLUSTER}={cluster}"


def parse_container(line: str) -> Container:
    """One line in FORMAT, without its first word. Raises ForeignContainer, and ValueError for anything else."""
    try:
        fields = msgspec.json.decode(line, type=_Row)
        ident, name, status, exit_code, oom, started, restarts, labels, image, networks, health = fields
        found = identity(labels)
        if name != found.slot.container:
            raise ForeignContainer(name)
        return Container(
            id=ident,
            name=name,
            replica=found.replica,
            slot=found.slot,
            attempt=found.attempt,
            spec_hash=found.spec_hash,
            image=image,
            state=_STATES.get(status, "unknown"),
            exit_code=int(exit_code),
            oom_killed=bool(oom),
            restarts=int(restarts),
            started_at=parse_time(started),
            addresses=_addresses(networks or {}),
            health=health,
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"podman described a container in a way that cannot be read: {error}") from error


def parse_start(line: str) -> Container:
    """What a ticket says of a start that is under way. Raises ValueError."""
    match line.split(" "):
        case [replica, stack, service, number, attempt, spec_hash, image] if number.isdecimal() and attempt.isdecimal():
            slot = Slot(stack, service, int(number))
            return Container("", slot.container, replica, slot, int(attempt), spec_hash, image, "starting")
    raise ValueError(f"a ticket of a start cannot be read: {line!r}")


def parse_time(text: str) -> Instant | None:
    """Go's RFC 3339 with up to nine digits of a second; the year 1 means never."""
    if text.startswith("0001-"):
        return None
    read = datetime.fromisoformat(_FRACTION.sub(r".\1", text))
    if read.tzinfo is None:
        raise ValueError("no zone")
    return read.timestamp()


def _addresses(networks: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    found = (_text(network.get("IPAddress")) for _, network in sorted(networks.items()))
    return tuple(address for address in found if address)


def _text(value: object) -> str:
    return msgspec.convert(value or "", str)
