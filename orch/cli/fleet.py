"""What commands that reach the fleet have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from typing import Any, TypeVar

from orch.cli.output import warn
from orch.cli.settings import Settings
from orch.errors import OrchError
from orch.inventory.fleet import Fleet, read_fleet
from orch.model.node import NodeObservation, Reachable, Unreachable

T = TypeVar("T")


def load_fleet(settings: Settings) -> Fleet:
    """Raises InputError."""
    return read_fleet(settings.inventory)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end. Of several errors at once, from tasks side by side, the first is raised."""
    try:
        return asyncio.run(work)
    except* OrchError as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


def problems(observed: Mapping[str, NodeObservation]) -> dict[str, str]:
    """Node → what is wrong with it, for those with something wrong."""
    found = {}
    for name, observation in observed.items():
        match observation:
            case Unreachable(reason=reason) | Reachable(problem=reason) if reason:
                found[name] = reason
    return found


def warn_of_nodes(observed: Mapping[str, NodeObservation], *, told: Collection[str] = ()) -> None:
    """One line for each node that cannot take part, but for those `told` of already."""
    for name, reason in problems(observed).items():
        if name not in told:
            warn(f"{name}: {reason}")
