"""The one place where things are wired together: fleet, state, connections, engine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from orch.inventory.fleet import Fleet
from orch.master.engine import Engine
from orch.master.jobs import Jobs
from orch.model.spec import StackSpec
from orch.remote.pool import Pool
from orch.store.lock import exclusive
from orch.store.tinydb import TinyStore


def state_folder(cluster: str, given: Path | None) -> Path:
    """--state or ORCH_STATE, else $XDG_STATE_HOME/orch/<cluster>."""
    if given is not None:
        return given
    home = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(home) / "orch" / cluster


def stored_stacks(fleet: Fleet, state: Path | None) -> tuple[StackSpec, ...]:
    """What is wanted, without a look at any node. Raises StateError."""
    return TinyStore(state_folder(fleet.cluster, state), fleet.cluster).stacks()


@asynccontextmanager
async def engine(fleet: Fleet, state: Path | None, pool: Pool, *, changing: bool) -> AsyncIterator[Engine]:
    """An engine for the length of one command, over connections that `pool` opens and closes.

    `changing`: hold the state's lock throughout. Raises StateError.
    """
    folder = state_folder(fleet.cluster, state)
    async with AsyncExitStack() as stack:
        if changing:
            stack.enter_context(exclusive(folder))
        store = TinyStore(folder, fleet.cluster)
        stack.callback(store.close)
        yield Engine(fleet, await stack.enter_async_context(pool), store)
        if changing:
            store.compact_when_due()


def jobs(fleet: Fleet, state: Path | None, pool: Pool) -> Jobs:
    """Jobs take the state's lock by themselves, and for moments."""
    return Jobs(fleet, state_folder(fleet.cluster, state), pool)
