"""What commands work with: a running master where there is one, else an engine of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from orch.api.wire import SOCKET
from orch.inventory.fleet import Fleet
from orch.master.engine import Applied, Watcher
from orch.master.runtime import engine, state_folder
from orch.master.volumes import Emptied
from orch.model.node import NodeObservation
from orch.model.plan import Desired, Plan
from orch.model.spec import StackSpec
from orch.model.view import View
from orch.remote.pool import Pool
from orch.store.protocol import Changes


class Operations(Protocol):
    """See Engine for what each does."""

    def desired(self, changed: Changes) -> Desired: ...

    def stacks(self) -> tuple[StackSpec, ...]: ...

    def recorded_stacks(self) -> set[str]: ...

    async def observe(self, *, sample_seconds: float = 0, inventory: bool = False) -> dict[str, NodeObservation]: ...

    async def plan(self, changed: Changes, *, inventory: bool = True) -> tuple[View, Plan]: ...

    async def apply(
        self, changed: Changes, watcher: Watcher, *, stacks: Collection[str] = (), wait_seconds: float = 0
    ) -> Applied: ...

    async def empty(self, stacks: Collection[str], view: View) -> list[Emptied]: ...


@asynccontextmanager
async def operations(fleet: Fleet, state: Path | None, pool: Pool, *, changing: bool) -> AsyncIterator[Operations]:
    """`changing`: where no master runs, hold the state's lock throughout. Raises StateError."""
    folder = state_folder(fleet.cluster, state)
    if (folder / SOCKET).exists():
        from orch.api.client import connected

        async with connected(folder) as client:
            if client is not None:
                yield client
                return
    async with engine(fleet, state, pool, changing=changing) as running:
        yield running
