"""Changes through a resident master, followed until they have been carried out or it is known why not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from orch.controllers.settle import Waiting, settling
from orch.master.engine import Applied, Watcher
from orch.master.executor import Outcome
from orch.master.master import Master
from orch.master.settle import Patience
from orch.master.volumes import Emptied, empty_stacks
from orch.model.node import Reachable
from orch.model.plan import Action, Plan, Run
from orch.model.replica import Replica
from orch.model.spec import ServiceSpec
from orch.model.view import View
from orch.store.protocol import Changes

_LOOK_SECONDS = 0.5


class Follower(Watcher, Protocol):
    async def flush(self) -> None:
        """Hand on what was told."""


async def apply(
    master: Master, changed: Changes, follower: Follower, *, stacks: Collection[str], wait_seconds: float
) -> Applied:
    """As Engine.apply, while the master does what there is to do."""
    outcomes: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        if outcome.action.replica.slot.stack in stacks and not _is_of_before(outcome.action, wanted):
            outcomes.append(outcome)
            follower.done(outcome)

    wanted: Mapping[tuple[str, str], ServiceSpec] = {}
    with master.telling(note):
        until = time.monotonic() + wait_seconds
        passed = master.passes
        master.change(changed, stacks)
        wanted = master.view().desired.services()
        planned = master.plan
        while True:
            await master.moved()
            if master.plan is not planned:
                planned = master.plan
                follower.planned(_of(planned, stacks))
            await follower.flush()
            # The master tries again what has failed; whoever applied it wants to know.
            failed = {o.action.replica.slot for o in outcomes if o.error}
            if master.passes == passed or master.busy(stacks) - failed:
                continue
            view, plan = master.view(), _of(master.plan, stacks)
            waiting = [] if failed else _waiting(view, stacks)
            if not waiting or time.monotonic() >= until:
                break
            follower.waiting(waiting)
            await follower.flush()
            await asyncio.sleep(min(_LOOK_SECONDS, max(0.0, until - time.monotonic())))
            for node in {replica.node for replica in waiting}:
                master.watches[node].look_soon()
    if not wait_seconds:
        return Applied(view, plan, outcomes)
    patience = Patience(view.desired.cluster, master.hosts, master.pool, seconds=0)
    pairs = [(replica, spec) for replica, spec in _replicas(view, stacks) if replica.slot not in failed]
    awaited = await patience.wait(pairs, view.observed, lambda left: None)
    return Applied(view, plan, outcomes, awaited.unsettled)


async def empty(master: Master, stacks: Collection[str]) -> list[Emptied]:
    """As Engine.empty."""
    view = master.view()
    return await empty_stacks(view.desired.cluster, master.hosts, master.pool, master.store, view.observed, stacks)


def _is_of_before(action: Action, wanted: Mapping[tuple[str, str], ServiceSpec]) -> bool:
    """A start that was under way when its service was changed: how it ends is no news of what is wanted now."""
    if not isinstance(action, Run):
        return False
    spec = wanted.get((action.replica.slot.stack, action.replica.slot.service))
    return spec is None or spec.hash != action.replica.spec_hash


def _of(plan: Plan, stacks: Collection[str]) -> Plan:
    """What a plan has to say of these stacks and of the nodes."""
    return msgspec.structs.replace(
        plan,
        actions=tuple(a for a in plan.actions if a.replica.slot.stack in stacks),
        refusals=tuple(r for r in plan.refusals if r.node or r.object.split("/")[0] in stacks),
    )


def _replicas(view: View, stacks: Collection[str]) -> list[tuple[Replica, ServiceSpec]]:
    """Those as they are wanted, on nodes of which something is known."""
    specs = view.desired.services()
    usable = {name for name, seen in view.observed.items() if isinstance(seen, Reachable) and not seen.problem}
    return [
        (replica, spec)
        for replica in view.desired.replicas
        if replica.slot.stack in stacks
        and replica.node in usable
        and (spec := specs.get((replica.slot.stack, replica.slot.service))) is not None
        and spec.hash == replica.spec_hash
    ]


def _waiting(view: View, stacks: Collection[str]) -> Sequence[Replica]:
    return [
        replica
        for replica, spec in _replicas(view, stacks)
        if isinstance(settling(replica, spec, view.observed[replica.node]), Waiting)
    ]
