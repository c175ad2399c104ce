"""The resident master: it holds the state, follows every node, and does whatever the plan calls for."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from orch.controllers.cluster import plan_cluster
from orch.controllers.course import MOVE_SECONDS, Course
from orch.inventory.fleet import Fleet
from orch.master.executor import Executor, Outcome
from orch.master.watch import NodeWatch
from orch.model.fence import Fence, Mastership
from orch.model.instant import Instant
from orch.model.node import Reachable
from orch.model.plan import Desired, Plan
from orch.model.replica import Slot
from orch.model.view import View
from orch.remote.pool import Pool
from orch.store.protocol import Changes, Store

FIRST_LOOK_SECONDS = 10.0
_DEBOUNCE_SECONDS = 0.02
_KEPT_OUTCOMES = 1000


class Master:
    """`run` never returns. Whoever makes one holds the state's lock."""

    def __init__(self, fleet: Fleet, pool: Pool, store: Store) -> None:
        self._fleet, self._store = fleet, store
        hosts = {host.name: host for host in fleet.hosts}
        self._executor = Executor(fleet.cluster, hosts, pool, store)
        self.fence = self._succeed()
        self._wake = asyncio.Event()
        self._busy: dict[Slot, dict[str, int] | None] = {}
        """Of slots being worked on None; then, by node, the look that will tell what has become of them."""
        self._hurried: dict[str, Instant] = {}
        self._moved = asyncio.Condition()
        self.watches = {
            host.name: NodeWatch(host, fleet.cluster, pool, self.fence, self._wake.set) for host in fleet.hosts
        }
        self.plan = Plan()
        self.outcomes: list[Outcome] = []
        self.passes = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for watch in self.watches.values():
                group.create_task(watch.run())
            # A plan made while half of the fleet is still unknown would put all on the other half.
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK_SECONDS):
                    for watch in self.watches.values():
                        await watch.tried.wait()
            while True:
                await self._reconcile(group)
                await self._next()

    def view(self) -> View:
        """What is wanted and what is known, now."""
        desired = Desired(
            cluster=self._fleet.cluster,
            nodes=tuple(host.node for host in self._fleet.hosts),
            stacks=self._store.stacks(),
            replicas=self._store.replicas(),
            volumes=self._store.volumes(),
        )
        return View(desired, {name: watch.observation for name, watch in self.watches.items()})

    def busy(self, stacks: Collection[str]) -> bool:
        """Whether anything of these stacks is being worked on."""
        return any(slot.stack in stacks for slot in self._busy)

    def change(self, changes: Changes, hurried: Collection[str]) -> None:
        """Write down what is wanted, and go about it. Nothing of `hurried` stacks waits because it failed before."""
        self._store.commit(changes)
        self._hurried |= dict.fromkeys(hurried, time.time())
        self._wake.set()

    async def moved(self) -> None:
        """When something has been planned, done or seen since."""
        async with self._moved:
            await self._moved.wait()

    def _succeed(self) -> Fence:
        held = next(iter(self._store.all(Mastership)), None) or Mastership(secrets.token_hex(8))
        own = held.succeeded(time.time())
        self._store.commit(Changes(put=(own,)))
        return Fence(own.owner, own.term, 0)

    async def _reconcile(self, group: asyncio.TaskGroup) -> None:
        self._free()
        view = self.view()
        course = Course(frozenset(self._busy), MOVE_SECONDS, patient=True, hurried=dict(self._hurried))
        self.plan = plan_cluster(view.desired, view.observed, now=time.time(), course=course)
        self.passes += 1
        if self.plan.actions:
            self._busy |= {action.replica.slot: None for action in self.plan.actions}
            group.create_task(self._execute(self.plan))
        elif self.plan.volumes:
            self._store.commit(Changes(self.plan.volumes))
        async with self._moved:
            self._moved.notify_all()

    async def _execute(self, plan: Plan) -> None:
        nodes = {slot: {a.replica.node for a in plan.actions if a.replica.slot == slot} for slot in self._busy}

        def ended(slot: Slot) -> None:
            looked = (name for name in sorted(nodes[slot]) if name in self.watches)
            self._busy[slot] = {name: self.watches[name].look_soon() for name in looked}
            self._wake.set()

        await self._executor.run(plan, self._fences(), self._note, ended)

    def _fences(self) -> Mapping[str, Fence]:
        return {name: watch.fence for name, watch in self.watches.items()}

    def _note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        del self.outcomes[:-_KEPT_OUTCOMES]

    def _free(self) -> None:
        """Slots of which the outcome has been seen, or cannot be seen now."""
        for slot, looks in list(self._busy.items()):
            if looks is not None and all(self._has_seen(name, number) for name, number in looks.items()):
                del self._busy[slot]

    def _has_seen(self, name: str, number: int) -> bool:
        watch = self.watches[name]
        return watch.seen >= number or not isinstance(watch.observation, Reachable)

    async def _next(self) -> None:
        """Until there is something to decide anew."""
        left = None if self.plan.again_at is None else max(0.05, self.plan.again_at - time.time())
        try:
            async with asyncio.timeout(left):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_DEBOUNCE_SECONDS)
        self._wake.clear()
