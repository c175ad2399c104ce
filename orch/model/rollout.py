"""How a service is brought from one specification to the next, and in which order services depend on each other."""

from __future__ import annotations

from typing import Literal

import msgspec

FailureAction = Literal["pause", "continue", "rollback"]
Order = Literal["stop-first", "start-first"]
DependencyCondition = Literal["service_started", "service_healthy", "service_completed_successfully"]


class UpdatePolicy(msgspec.Struct, frozen=True):
    """Compose's `update_config` and `rollback_config`, with its defaults. `parallelism` of 0 means all at once; `delay`
    and `monitor` are in seconds."""

    parallelism: int = 1
    delay: float = 0.0
    failure_action: FailureAction = "pause"
    monitor: float = 5.0
    max_failure_ratio: float = 0.0
    order: Order = "stop-first"


class Dependency(msgspec.Struct, frozen=True, order=True):
    """Another service of the stack that must be so far before this one starts. `restart`: start this one anew when that
    one was; not `required`: its absence is no error."""

    service: str
    condition: DependencyCondition = "service_started"
    restart: bool = False
    required: bool = True
