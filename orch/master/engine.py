"""The loop, for the length of one command: observe, plan, execute, until there is nothing left to do."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from orch.controllers.cluster import plan_cluster
from orch.controllers.settle import SETTLE_SECONDS, Settled, settling
from orch.controllers.status import containers_seen
from orch.inventory.fleet import Fleet
from orch.master.executor import Executor, Outcome
from orch.master.settle import Patience, Unsettled
from orch.master.volumes import Emptied, empty_stacks
from orch.model.fence import Fence, Mastership
from orch.model.node import NodeObservation, Reachable
from orch.model.plan import Desired, Plan, Run
from orch.model.replica import Replica
from orch.model.spec import ServiceSpec, StackSpec
from orch.model.view import View
from orch.observe.fleet import observe_fleet
from orch.remote.pool import Pool
from orch.store.protocol import Changes, Store, changed_stacks

ROUNDS = 3
"""How often one command looks again. What has not settled by then is told, not chased."""


class Applied(msgspec.Struct, frozen=True):
    """`view` is the last look; `plan` is what it still calls for, and so empty when all is as wanted. `unsettled`:
    replicas that run, or ran, and that cannot be called deployed."""

    view: View
    plan: Plan
    outcomes: Sequence[Outcome]
    unsettled: tuple[Unsettled, ...] = ()


class Watcher(Protocol):
    """Whoever follows an apply."""

    def planned(self, plan: Plan) -> None:
        """This will be done now."""

    def done(self, outcome: Outcome) -> None:
        """An action has come to its end, whichever that is."""

    def waiting(self, replicas: Sequence[Replica]) -> None:
        """All is done, and these have still to settle."""


class Engine:
    """Works on one cluster through one store. Whoever lets it change things holds the state's lock."""

    def __init__(self, fleet: Fleet, pool: Pool, store: Store) -> None:
        self._fleet, self._pool, self._store = fleet, pool, store
        self._hosts = {host.name: host for host in fleet.hosts}
        self._fence: Fence | None = None
        self._executor = Executor(fleet.cluster, self._hosts, pool, store)

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
        """Stacks of which replicas are recorded, wanted or not, or volumes with data."""
        volumes = {volume.stack for volume in self._store.volumes()}
        return {replica.slot.stack for replica in self._store.replicas()} | volumes

    async def empty(self, stacks: Collection[str], view: View) -> list[Emptied]:
        """Remove the volumes of stacks whose containers are gone."""
        return await empty_stacks(self._fleet.cluster, self._hosts, self._pool, self._store, view.observed, stacks)

    async def observe(
        self, *, fence: Fence | None = None, sample_seconds: float = 0, inventory: bool = False
    ) -> dict[str, NodeObservation]:
        """As `observe_fleet` does."""
        return await observe_fleet(
            self._pool,
            self._fleet.hosts,
            self._fleet.cluster,
            fence=fence,
            sample_seconds=sample_seconds,
            inventory=inventory,
        )

    async def plan(self, changed: Changes, *, acting: bool = False, inventory: bool = True) -> tuple[View, Plan]:
        """What `apply` would do first; the same code without the doing. `acting`: it is going to be done; then no
        earlier plan is any more. `inventory`: as for `observe`."""
        fence = self._next_fence() if acting else None
        view = View(self.desired(changed), await self.observe(fence=fence, inventory=inventory), fence)
        return view, plan_cluster(view.desired, view.observed, now=time.time())

    async def execute(self, plan: Plan, view: View, done: Callable[[Outcome], None]) -> list[Outcome]:
        """Do what was planned, or a part of it. `view` is what it was planned from, with `acting`."""
        assert view.fence is not None
        return await self._executor.run(plan, dict.fromkeys(self._hosts, view.fence), done)

    def _next_fence(self) -> Fence:
        """Whoever acts has the state's lock, so that terms are in order."""
        if self._fence is None:
            held = next(iter(self._store.all(Mastership)), None) or Mastership(secrets.token_hex(8))
            own = held.succeeded(time.time())
            self._store.commit(Changes(put=(own,)))
            self._fence = Fence(own.owner, own.term, 0)
        self._fence = msgspec.structs.replace(self._fence, look=self._fence.look + 1)
        return self._fence

    async def apply(
        self, changed: Changes, watcher: Watcher, *, stacks: Collection[str] = (), wait_seconds: float = 0
    ) -> Applied:
        """Write down what is wanted, then do what it takes, then wait at most `wait_seconds` for what was started, and
        for the replicas of `stacks`, to settle; 0 is not to wait."""
        self._store.commit(changed)
        outcomes: list[Outcome] = []
        patience = Patience(self._fleet.cluster, self._hosts, self._pool, seconds=wait_seconds)
        waited = not wait_seconds
        for number in range(ROUNDS):
            # Listing images costs every node a start of podman: once is enough.
            view, plan = await self.plan(Changes(), acting=True, inventory=number == 0)
            todo = _without(plan, _started(outcomes))
            if not plan.actions:
                # Where volumes are found to have their data is worth knowing even if there is nothing else to do.
                self._store.commit(Changes(plan.volumes))
            if any(outcome.error for outcome in outcomes):
                break
            if todo.actions:
                watcher.planned(todo)
                outcomes += await self.execute(todo, view, watcher.done)
            elif waited or not (left := _under_way(view, stacks, _started(outcomes))):
                break
            else:
                # Begun before this command. Should one fail, then starting it anew says why.
                await patience.wait(left, view.observed, watcher.waiting)
                waited = True
            if wait_seconds and _started(outcomes):
                # The look that follows is then the last one, if all goes well.
                await asyncio.sleep(min(SETTLE_SECONDS, wait_seconds))
        else:
            view, plan = await self.plan(Changes(), inventory=False)
        if not wait_seconds:
            return Applied(view, plan, outcomes)
        awaited = await patience.wait(_to_settle(view, plan, outcomes, stacks), view.observed, watcher.waiting)
        if awaited.observed != view.observed:
            view = View(view.desired, awaited.observed)
            plan = plan_cluster(view.desired, view.observed, now=time.time())
        return Applied(view, plan, outcomes, awaited.unsettled)


def _started(outcomes: Iterable[Outcome]) -> dict[str, Replica]:
    """By id."""
    return {o.action.replica.id: o.action.replica for o in outcomes if isinstance(o.action, Run) and o.done}


def _without(plan: Plan, started: Mapping[str, Replica]) -> Plan:
    """A replica that this very command started is not replaced because it has ended: that would only hide why."""
    slots = {replica.slot for replica in started.values()}
    return msgspec.structs.replace(plan, actions=tuple(a for a in plan.actions if a.replica.slot not in slots))


def _under_way(
    view: View, stacks: Collection[str], started: Mapping[str, Replica]
) -> list[tuple[Replica, ServiceSpec]]:
    """Replicas of `stacks` as they are wanted, whose start goes on and is not this command's own."""
    specs = view.desired.services()
    starting = {where: c.spec_hash for where, c in containers_seen(view.observed).items() if c.state == "starting"}
    return [
        (replica, spec)
        for replica in view.desired.replicas
        if replica.slot.stack in stacks
        and replica.id not in started
        and (spec := specs.get((replica.slot.stack, replica.slot.service))) is not None
        and starting.get((replica.node, replica.id)) == spec.hash
    ]


def _to_settle(
    view: View, plan: Plan, outcomes: Iterable[Outcome], stacks: Collection[str]
) -> list[tuple[Replica, ServiceSpec]]:
    """What was started, and whatever else of `stacks` is not at rest. Of nodes that do not answer, and of what is
    still to be replaced, the plan tells."""
    specs, started = view.desired.services(), _started(outcomes)
    planned = {action.replica.slot for action in plan.actions}
    found = []
    for replica in view.desired.replicas:
        spec, node = specs.get((replica.slot.stack, replica.slot.service)), view.observed.get(replica.node)
        if spec is None or spec.hash != replica.spec_hash or not isinstance(node, Reachable) or node.problem:
            continue
        there = replica.slot.stack in stacks and any(c.replica == replica.id for c in node.containers)
        restless = there and replica.slot not in planned and not isinstance(settling(replica, spec, node), Settled)
        if replica.id in started or restless:
            found.append((replica, spec))
    return found
