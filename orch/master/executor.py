"""Carrying a plan out: nodes side by side, one slot's actions in order, results as they come."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from orch.errors import CommandError, HostError
from orch.inventory.hosts import Host
from orch.master.steps import Step, steps_of
from orch.model.fence import Fence
from orch.model.plan import Action, Adopt, Forget, Plan, Remove, Run
from orch.model.replica import Replica, Slot
from orch.model.volume import Volume
from orch.podman import commands, guard
from orch.podman.explain import Situation, explain, out_of_time
from orch.podman.guard import GUARD_SECONDS
from orch.podman.within import OUT_OF_TIME
from orch.remote.frames import Result
from orch.remote.link import Link
from orch.remote.pool import Pool
from orch.store.protocol import Changes, Store, key_of

_ANSWER_SECONDS = 5 + GUARD_SECONDS
"""A command ends itself on its node; only a dead channel takes so much longer."""


class Outcome(msgspec.Struct, frozen=True):
    """`error` is empty when the action was done. `lost`: the error is the node's, which does not answer.
    `skipped`: it was not tried, since one before it failed."""

    action: Action
    error: str = ""
    lost: bool = False
    skipped: bool = False

    @property
    def done(self) -> bool:
        return not self.error and not self.skipped


class Executor:
    """Records go to the store before a container is started and after one is gone: what runs is always known."""

    def __init__(
        self,
        cluster: str,
        hosts: Mapping[str, Host],
        pool: Pool,
        store: Store,
        *,
        run_seconds: int = commands.RUN_SECONDS,
    ) -> None:
        """`run_seconds`: what one start may take, its image's pull included."""
        self._cluster, self._hosts, self._pool, self._store = cluster, hosts, pool, store
        self._run_seconds = run_seconds

    async def run(
        self,
        plan: Plan,
        fences: Mapping[str, Fence],
        done: Callable[[Outcome], None],
        ended: Callable[[Slot], None] = lambda slot: None,
    ) -> list[Outcome]:
        """The outcome of every action; `done` gets each as it happens, `ended` each slot when nothing more is to be
        done there. `fences`: of the look at each node that the plan is made from; one that was looked at anew since
        refuses."""
        self._store.commit(_before(plan.actions, plan.volumes))
        outcomes: list[Outcome] = []

        def note(outcome: Outcome) -> None:
            outcomes.append(outcome)
            done(outcome)

        for action in plan.actions:
            if isinstance(action, Adopt):
                note(Outcome(action))
                ended(action.replica.slot)
        shared, leaving = _Once(), _Leaving(plan.actions)
        async with asyncio.TaskGroup() as group:
            for slot, chain in _chains(plan.actions).items():
                group.create_task(self._run_chain(slot, chain, fences, shared, leaving, note, ended))
        return outcomes

    async def _run_chain(
        self,
        slot: Slot,
        chain: Sequence[Run | Remove | Forget],
        fences: Mapping[str, Fence],
        shared: _Once,
        leaving: _Leaving,
        note: Callable[[Outcome], None],
        ended: Callable[[Slot], None],
    ) -> None:
        """One slot, wherever its replicas are. After a failure the rest is skipped: an old replica that could
        not be removed still has the slot."""
        failed = False
        outcomes: list[Outcome] = []
        try:
            for action in chain:
                if isinstance(action, Run) and action.replica.ports and not failed:
                    # The plan counts on ports that another slot's old replica has until it is gone.
                    await leaving.gone_from(action.replica.node)
                outcome = Outcome(action, skipped=True) if failed else await self._act(action, fences, shared)
                leaving.note(action)
                outcomes.append(outcome)
                note(outcome)
                failed = failed or bool(outcome.error)
        finally:
            # Broken off half-way, what was done is still noted; the next plan finds the rest on the nodes.
            self._store.commit(_after(outcomes, self._store.replicas()))
            ended(slot)

    async def _act(self, action: Run | Remove | Forget, fences: Mapping[str, Fence], shared: _Once) -> Outcome:
        node = action.replica.node
        if node not in self._hosts:
            return Outcome(action)  # It has left the inventory, and what is to be forgotten there with it.
        link = self._pool.link(self._hosts[node])
        try:
            for step in steps_of(self._cluster, action, run_seconds=self._run_seconds):
                await shared.do(node, step.once, partial(self._take, link, step, fences[node], action.replica))
        except HostError as error:
            return Outcome(action, error.reason, lost=not isinstance(error, CommandError))
        except ValueError as error:
            return Outcome(action, str(error))
        return Outcome(action)

    async def _take(self, link: Link, step: Step, fence: Fence, replica: Replica) -> None:
        """Raises HostError, and ValueError for a replica that is none of orch's."""
        if step.starts:
            command = guard.start(self._cluster, fence, replica, step.image, step.command)
        elif step.makes:
            command = guard.making(self._cluster, fence, step.makes, step.command)
        else:
            command = guard.guarded(self._cluster, fence, step.command)
        result = await link.run(command, timeout=step.seconds + _ANSWER_SECONDS, whole=True)
        if result.status != 0 and commands.name_is_taken_in_storage(result.complaint):
            clearing = guard.guarded(self._cluster, fence, commands.remove_leftover(replica.container))
            if (await link.run(clearing, timeout=commands.REMOVE_SECONDS + _ANSWER_SECONDS, whole=True)).status == 0:
                result = await link.run(command, timeout=step.seconds + _ANSWER_SECONDS, whole=True)
        if result.status == guard.REFUSED:
            raise CommandError(link.host.name, result.complaint.removeprefix("orch: "))
        if result.status != 0:
            raise CommandError(link.host.name, f"{step.what}: {_explain(link.host.name, step, result)}")


def _explain(node: str, step: Step, result: Result) -> str:
    at = Situation(node, step.image, step.seconds)
    if result.status in OUT_OF_TIME and result.seconds >= step.seconds:
        return out_of_time(at)
    return step.remedy if step.remedy and not result.stderr.strip() else explain(result.complaint, at)


class _Once:
    """What has been done on a node for all that need it, and locks so that nobody does it beside another."""

    def __init__(self) -> None:
        self._done: set[tuple[str, str]] = set()
        self._locks: dict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def do(self, node: str, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """One that failed is tried anew by the next who needs it."""
        if not what:
            await work()
            return
        async with self._locks[node, what]:
            if (node, what) not in self._done:
                await work()
                self._done.add((node, what))


class _Leaving:
    """Replicas that are to be removed, by node. In a plan, what removes comes before what starts, so that nobody who
    waits for a removal is waited for by it."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._left = Counter(action.replica.node for action in actions if isinstance(action, Remove))
        self._gone: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def note(self, action: Action) -> None:
        """It was done, or failed, or was skipped."""
        if isinstance(action, Remove):
            self._left[action.replica.node] -= 1
            if not self._left[action.replica.node]:
                self._gone[action.replica.node].set()

    async def gone_from(self, node: str) -> None:
        if self._left[node]:
            await self._gone[node].wait()


def _chains(actions: Iterable[Action]) -> dict[Slot, list[Run | Remove | Forget]]:
    """Actions by slot, in the plan's order."""
    chains: dict[Slot, list[Run | Remove | Forget]] = {}
    for action in actions:
        if not isinstance(action, Adopt):
            chains.setdefault(action.replica.slot, []).append(action)
    return chains


def _before(actions: Iterable[Action], volumes: Sequence[Volume]) -> Changes:
    """Records of all that will be started, so that a container without a record is never orch's own doing, and of
    where its volumes will be."""
    put = [action.replica for action in actions if isinstance(action, Run | Adopt)]
    return Changes((*put, *volumes))


def _after(outcomes: Iterable[Outcome], recorded: Iterable[Replica]) -> Changes:
    """Drops the records of what is gone, and of what was never tried.

    An id names a slot and an attempt: after a lost state, a stray may bear the id of another node's replica.
    """
    gone = [
        outcome.action.replica
        for outcome in outcomes
        if (isinstance(outcome.action, Remove | Forget) and outcome.done)
        or (isinstance(outcome.action, Run) and outcome.skipped)
    ]
    at = {(r.node, r.id) for r in recorded}
    return Changes(delete=tuple(key_of(r) for r in gone if (r.node, r.id) in at))
