"""orch's own parts at work on a lab, in this process: for what no Compose file can say, or not so precisely."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from orch.inventory.fleet import Fleet, read_fleet
from orch.master.executor import Executor, Outcome
from orch.model.fence import Fence
from orch.model.plan import Action, Plan, Remove, Run
from orch.model.replica import Replica, Slot, replica_id
from orch.model.spec import ServiceSpec
from orch.model.volume import FileSpec, VolumeSpec
from orch.observe.fleet import observe_fleet
from orch.podman.commands import RUN_SECONDS
from orch.remote.pool import Pool
from orch.store.tinydb import TinyStore
from tests.lab.hosts import Operator


class Direct:
    """An executor on the lab's hosts, with a store of its own."""

    def __init__(self, fleet: Fleet, pool: Pool, folder: Path, run_seconds: int) -> None:
        self.cluster = fleet.cluster
        self._hosts = {host.name: host for host in fleet.hosts}
        self._pool = pool
        self.store = TinyStore(folder, fleet.cluster)
        self.fence = Fence("0123456789abcdef", 1, 0)
        self.executor = Executor(fleet.cluster, self._hosts, pool, self.store, run_seconds=run_seconds)

    async def do(self, *actions: Action) -> list[Outcome]:
        """Nodes are looked at first, as before any change."""
        self.fence = Fence(self.fence.owner, self.fence.term, self.fence.look + 1)
        await observe_fleet(self._pool, list(self._hosts.values()), self.cluster, fence=self.fence)
        return await self.executor.run(Plan(actions), dict.fromkeys(self._hosts, self.fence), lambda _: None)

    def start(
        self, spec: ServiceSpec, node: str, *, volumes: Sequence[VolumeSpec] = (), files: Sequence[FileSpec] = ()
    ) -> Run:
        slot = Slot("shop", spec.name, 1)
        replica = Replica(replica_id(self.cluster, slot, 1), slot, 1, node, spec.hash, stop_grace=0)
        return Run(replica, spec, "wanted", tuple(volumes), tuple(files))

    def stop(self, run: Run) -> Remove:
        return Remove(run.replica, run.replica.container, "not wanted any more")

    async def on(self, node: str, script: str) -> str:
        """What shell text prints on the node."""
        result = await self._pool.link(self._hosts[node]).run_script(script, timeout=60)
        assert result.status == 0, result.complaint
        return result.text

    async def inside(self, run: Run, script: str) -> str:
        """What shell text prints in the container, as its own user."""
        quoted = shlex.quote(script)
        return await self.on(run.replica.node, f"podman exec {run.replica.container} sh -c {quoted} 2>&1")


@asynccontextmanager
async def direct(op: Operator, *, run_seconds: int = RUN_SECONDS) -> AsyncIterator[Direct]:
    fleet = read_fleet([op.inventory])
    folder = op.folder / "direct"
    folder.mkdir()
    async with Pool() as pool:
        yield Direct(fleet, pool, folder, run_seconds)
