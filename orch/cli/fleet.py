"""What commands that reach the fleet have in common."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Collection, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from orch.cli.output import warn
from orch.cli.settings import Settings
from orch.errors import OrchError
from orch.inventory.fleet import Fleet, read_fleet
from orch.model.node import NodeObservation, Reachable, Unreachable

if TYPE_CHECKING:
    from orch.remote.pool import Pool

T = TypeVar("T")

CONNECT_SECONDS = 10.0
"""How long a host may take to let a command in that says nothing of it."""


def load_fleet(settings: Settings) -> Fleet:
    """Raises InputError."""
    return read_fleet(settings.inventory)


def open_pool(settings: Settings, *, timeout: float = CONNECT_SECONDS) -> Pool:
    """Connections as the settings want them, with questions for whoever sits at the terminal. `timeout` is for when
    they say nothing of it."""
    from orch.cli.ask import Terminal
    from orch.remote.dial import allow_descriptors
    from orch.remote.pool import Pool

    allow_descriptors()
    # What an old host can no better; cryptography would tell of it once for each, and on standard error.
    warnings.filterwarnings("ignore", category=UserWarning, module="asyncssh")
    return Pool(connect_timeout=settings.timeout or timeout, asker=Terminal(), accept_new=settings.accept_new)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end. Of several errors at once, from tasks side by side, the first is raised."""
    try:
        return asyncio.run(work)
    except* (OrchError, BrokenPipeError) as group:
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
