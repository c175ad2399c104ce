"""What goes over the socket: JSON documents of the model's own types, a line each where they come one after another."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from orch.master.engine import Applied
from orch.master.executor import Outcome
from orch.master.master import Health
from orch.model.plan import Plan
from orch.model.replica import Replica
from orch.store.protocol import Changes, Key, Stored, key_of, type_of

SOCKET = "master.sock"
"""In the state's folder, which nobody else may enter; mode 0600 itself."""

Document: TypeAlias = dict[str, Any]


class WireChanges(msgspec.Struct, frozen=True):
    """`Changes`, each object with its kind."""

    put: tuple[tuple[str, Document], ...] = ()
    delete: tuple[Key, ...] = ()
    expect: tuple[tuple[Key, int], ...] = ()


class Wish(msgspec.Struct, frozen=True):
    """What `apply` asks for; see Engine.apply."""

    changes: WireChanges
    stacks: tuple[str, ...] = ()
    wait_seconds: float = 0


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    plan: Plan


class Done(msgspec.Struct, frozen=True, tag="done"):
    outcome: Outcome


class Waits(msgspec.Struct, frozen=True, tag="waits"):
    replicas: tuple[Replica, ...]


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    applied: Applied


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """`error` is the name of one of orch's own errors."""

    error: str
    message: str


Progress: TypeAlias = Planned | Done | Waits | Finished | Failed


class Status(msgspec.Struct, frozen=True):
    """`memory` and `store` in bytes, `cpu` in seconds since the start."""

    version: str
    pid: int
    cluster: str
    memory: int
    cpu: float
    store: int
    health: Health


def to_wire(changes: Changes) -> WireChanges:
    put = tuple((key_of(stored).kind, msgspec.to_builtins(stored)) for stored in changes.put)
    return WireChanges(put, changes.delete, tuple(changes.expect.items()))


def from_wire(changes: WireChanges) -> Changes:
    """Raises ValueError (msgspec's own included) for what is no change."""
    put: tuple[Stored, ...] = tuple(msgspec.convert(document, type_of(kind)) for kind, document in changes.put)
    return Changes(put, changes.delete, dict(changes.expect))
