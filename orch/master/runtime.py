"""The one place where things are wired together: fleet, state, connections, engine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orch.inventory.fleet import Fleet
from orch.master.engine import Engine
from orch.master.jobs import Jobs
from orch.model.spec import StackSpec
from orch.remote.pool import Pool
from orch.store.opened import opened


def state_folder(cluster: str, given: Path | None) -> Path:
    """--state or ORCH_STATE, else $XDG_STATE_HOME/orch/<cluster>."""
    if given is not None:
        return given
    home = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(home) / "orch" / cluster


def stored_stacks(fleet: Fleet, state: Path | None) -> tuple[StackSpec, ...]:
    """What is wanted, without a look at any node. Raises StateError."""
    with opened(state_folder(fleet.cluster, state), fleet.cluster, changing=False) as store:
        return store.stacks()


@asynccontextmanager
async def engine(fleet: Fleet, state: Path | None, pool: Pool, *, changing: bool) -> AsyncIterator[Engine]:
    """An engine for the length of one command, over connections that `pool` opens and closes.

    `changing`: hold the state's lock throughout. Raises StateError.
    """
    with opened(state_folder(fleet.cluster, state), fleet.cluster, changing=changing) as store:
        async with pool:
            yield Engine(fleet, pool, store)


def jobs(fleet: Fleet, state: Path | None, pool: Pool) -> Jobs:
    """Jobs take the state's lock by themselves, and for moments."""
    return Jobs(fleet, state_folder(fleet.cluster, state), pool)
