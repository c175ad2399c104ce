"""The loop, for the length of one command: observe, plan, execute, until there is nothing left to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from orch.controllers.cluster import plan_cluster
from orch.inventory.fleet import Fleet
from orch.master.executor import Executor, Outcome
from orch.model.node import NodeObservation
from orch.model.plan import Desired, Plan
from orch.model.spec import StackSpec
from orch.observe.fleet import observe_fleet
from orch.remote.pool import Pool
from orch.store.protocol import Changes, Store, changed_stacks

ROUNDS = 3
"""How often one command looks again. What has not settled by then is told, not chased."""


class View(msgspec.Struct, frozen=True):
    """What is wanted and what was seen, at one time."""

    desired: Desired
    observed: Mapping[str, NodeObservation]


class Applied(msgspec.Struct, frozen=True):
    """`view` is the last look; `plan` is what it still calls for, and so empty when all is as wanted."""

    view: View
    plan: Plan
    outcomes: Sequence[Outcome]


class Engine:
    """Works on one cluster through one store. Whoever lets it change things holds the state's lock."""

    def __init__(self, fleet: Fleet, pool: Pool, store: Store) -> None:
        self._fleet, self._pool, self._store = fleet, pool, store
        hosts = {host.name: host for host in fleet.hosts}
        self._executor = Executor(fleet.cluster, hosts, pool, store)

    def desired(self, changed: Changes) -> Desired:
        """What the store wants, with stacks changed as in `changed` but nothing written."""
        return Desired(
            cluster=self._fleet.cluster,
            nodes=tuple(host.node for host in self._fleet.hosts),
            stacks=changed_stacks(self._store.stacks(), changed),
            replicas=self._store.replicas(),
            volumes=self._store.volumes(),
        )

    def stacks(self) -> tuple[StackSpec, ...]:
        return self._store.stacks()

    def recorded_stacks(self) -> set[str]:
        """Stacks of which replicas are recorded, wanted or not."""
        return {replica.slot.stack for replica in self._store.replicas()}

    async def observe(self, *, sample_seconds: float = 0, inventory: bool = False) -> dict[str, NodeObservation]:
        """`inventory`: with the images and volumes of each node."""
        hosts, cluster = self._fleet.hosts, self._fleet.cluster
        return await observe_fleet(self._pool, hosts, cluster, sample_seconds=sample_seconds, inventory=inventory)

    async def plan(self, changed: Changes, *, inventory: bool = True) -> tuple[View, Plan]:
        """What `apply` would do first; the same code without the doing. `inventory`: as for `observe`."""
        view = View(self.desired(changed), await self.observe(inventory=inventory))
        return view, plan_cluster(view.desired, view.observed, now=time.time())

    async def apply(self, changed: Changes, done: Callable[[Outcome], None]) -> Applied:
        """Write down what is wanted, then do what it takes; `done` gets each action's outcome as it happens."""
        self._store.commit(changed)
        outcomes: list[Outcome] = []
        for number in range(ROUNDS):
            # Listing images costs every node a start of podman: once is enough.
            view, plan = await self.plan(Changes(), inventory=number == 0)
            if not plan.actions or any(outcome.error for outcome in outcomes):
                break
            outcomes += await self._executor.run(plan, done)
        else:
            view, plan = await self.plan(Changes(), inventory=False)
        return Applied(view, plan, outcomes)
