"""The resident master: it holds the state, follows every node, and does whatever the plan calls for."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from orch.controllers.cluster import plan_cluster
from orch.controllers.course import MOVE_SECONDS, Course
from orch.inventory.fleet import Fleet
from orch.master.executor import Executor, Outcome
from orch.master.watch import NodeWatch
from orch.model.fence import Fence, Mastership
from orch.model.instant import Instant
from orch.model.node import Reachable, node_state
from orch.model.plan import Desired, Plan
from orch.model.replica import Slot
from orch.model.view import View
from orch.remote.pool import Pool
from orch.store.protocol import Changes, Store

FIRST_LOOK_SECONDS = 10.0
_DEBOUNCE_SECONDS = 0.02


class Health(msgspec.Struct, frozen=True):
    """`nodes`: how many are in which state. `passes` of the loop since the start, `pass_seconds` what the last one
    took; `busy`: slots that are being worked on."""

    started_at: Instant
    term: int
    nodes: dict[str, int]
    passes: int
    pass_seconds: float
    busy: int
    revision: int


class Master:
    """`run` never returns. Whoever makes one holds the state's lock."""

    def __init__(self, fleet: Fleet, pool: Pool, store: Store) -> None:
        self.cluster = fleet.cluster
        self._fleet, self.pool, self.store = fleet, pool, store
        self.hosts = {host.name: host for host in fleet.hosts}
        self._executor = Executor(fleet.cluster, self.hosts, pool, store)
        self.fence = self._succeed()
        self._wake = asyncio.Event()
        self._busy: dict[Slot, dict[str, int] | None] = {}
        """Of slots being worked on None; then, by node, the look that will tell what has become of them."""
        self._hurried: dict[str, Instant] = {}
        self._crowded_at: Instant = 0.0
        self._moved = asyncio.Condition()
        self.watches = {
            host.name: NodeWatch(host, fleet.cluster, pool, self.fence, self._wake.set) for host in fleet.hosts
        }
        self.plan = Plan()
        self.passes, self._pass_seconds = 0, 0.0
        self._started_at = time.time()
        self._told: list[Callable[[Outcome], None]] = []

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
            stacks=self.store.stacks(),
            replicas=self.store.replicas(),
            volumes=self.store.volumes(),
        )
        return View(desired, {name: watch.observation for name, watch in self.watches.items()})

    def health(self) -> Health:
        return Health(
            started_at=self._started_at,
            term=self.fence.term,
            nodes=dict(Counter(node_state(watch.observation) for watch in self.watches.values())),
            passes=self.passes,
            pass_seconds=self._pass_seconds,
            busy=len(self._busy),
            revision=self.store.revision,
        )

    def busy(self, stacks: Collection[str]) -> set[Slot]:
        """The slots of these stacks that are being worked on."""
        return {slot for slot in self._busy if slot.stack in stacks}

    def change(self, changes: Changes, hurried: Collection[str]) -> None:
        """Write down what is wanted, and go about it. Nothing of `hurried` stacks waits because it failed before."""
        self.store.commit(changes)
        self._hurried |= dict.fromkeys(hurried, time.time())
        self._wake.set()

    async def moved(self) -> None:
        """When something has been planned, done or seen since."""
        async with self._moved:
            await self._moved.wait()

    def _succeed(self) -> Fence:
        held = next(iter(self.store.all(Mastership)), None) or Mastership(secrets.token_hex(8))
        own = held.succeeded(time.time())
        self.store.commit(Changes(put=(own,)))
        return Fence(own.owner, own.term, 0)

    async def _reconcile(self, group: asyncio.TaskGroup) -> None:
        began = time.perf_counter()
        self._free()
        view = self.view()
        now = time.time()
        course = Course(frozenset(self._busy), MOVE_SECONDS, True, dict(self._hurried), self._crowded_at)
        if course.too_many_away(view.desired.nodes, view.observed):
            self._crowded_at = now
        self.plan = plan_cluster(view.desired, view.observed, now=now, course=course)
        self.passes, self._pass_seconds = self.passes + 1, time.perf_counter() - began
        if self.plan.actions:
            self._busy |= {action.replica.slot: None for action in self.plan.actions}
            group.create_task(self._execute(self.plan))
        elif self.plan.volumes:
            self.store.commit(Changes(self.plan.volumes))
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

    @contextmanager
    def telling(self, note: Callable[[Outcome], None]) -> Iterator[None]:
        """`note` is given every outcome meanwhile."""
        self._told.append(note)
        try:
            yield
        finally:
            self._told.remove(note)

    def _note(self, outcome: Outcome) -> None:
        for note in self._told:
            note(outcome)

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
