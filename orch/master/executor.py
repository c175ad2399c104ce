"""Carrying a plan out: nodes side by side, one slot's actions in order, results as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from orch.errors import CommandError, HostError
from orch.inventory.hosts import Host
from orch.model.command import Command
from orch.model.plan import Action, Adopt, Forget, Plan, Remove, Run
from orch.model.replica import Replica, Slot
from orch.podman import commands
from orch.remote.link import succeeded
from orch.remote.pool import Pool
from orch.store.protocol import Changes, Key, Store, key_of

_ANSWER_SECONDS = 15
"""A command ends itself on its node; only a dead channel takes so much longer."""


class Outcome(msgspec.Struct, frozen=True):
    """`error` is empty when the action was done. `lost`: the error is the node's, which does not answer.
    `skipped`: it was not tried, since one before it failed."""

    action: Action
    error: str = ""
    lost: bool = False
    skipped: bool = False


class Executor:
    """Records go to the store before a container is started and after one is gone: what runs is always known."""

    def __init__(self, cluster: str, hosts: Mapping[str, Host], pool: Pool, store: Store) -> None:
        self._cluster, self._hosts, self._pool, self._store = cluster, hosts, pool, store

    async def run(self, plan: Plan, done: Callable[[Outcome], None]) -> list[Outcome]:
        """The outcome of every action; `done` gets each as it happens."""
        self._store.commit(_before(plan.actions))
        outcomes: list[Outcome] = []

        def note(outcome: Outcome) -> None:
            outcomes.append(outcome)
            done(outcome)

        for action in plan.actions:
            if isinstance(action, Forget | Adopt):
                note(Outcome(action))
        try:
            async with asyncio.TaskGroup() as group:
                for chain in _chains(plan.actions):
                    group.create_task(self._run_chain(chain, note))
        finally:
            # Broken off half-way, what was done is still noted; the next plan finds the rest on the nodes.
            self._store.commit(_after(outcomes, self._store.replicas()))
        return outcomes

    async def _run_chain(self, chain: Sequence[Run | Remove], note: Callable[[Outcome], None]) -> None:
        """One slot, wherever its replicas are. After a failure the rest is skipped: an old replica that could
        not be removed still has the slot."""
        failed = False
        for action in chain:
            outcome = Outcome(action, skipped=True) if failed else await self._act(action)
            note(outcome)
            failed = failed or bool(outcome.error)

    async def _act(self, action: Run | Remove) -> Outcome:
        node = action.replica.node
        command, seconds = command_of(self._cluster, action)
        link = self._pool.link(self._hosts[node])
        try:
            result = await link.run(command, timeout=seconds + _ANSWER_SECONDS, whole=True)
            if result.status != 0 and commands.name_is_taken_in_storage(result.complaint):
                cleared = await link.run(
                    commands.remove_leftover(action.replica.container), timeout=seconds, whole=True
                )
                if cleared.status == 0:
                    result = await link.run(command, timeout=seconds + _ANSWER_SECONDS, whole=True)
            succeeded(node, "podman", result)
        except HostError as error:
            return Outcome(action, error.reason, lost=not isinstance(error, CommandError))
        return Outcome(action)


def command_of(cluster: str, action: Run | Remove) -> tuple[Command, int]:
    """The command that does the action, and the seconds after which it ends itself."""
    match action:
        case Run(replica, spec):
            return commands.run(cluster, replica, spec), commands.RUN_SECONDS
        case Remove(replica, container):
            return commands.remove(container, replica.stop_grace), replica.stop_grace + commands.REMOVE_SECONDS


def _chains(actions: Iterable[Action]) -> list[list[Run | Remove]]:
    """Actions by slot, in the plan's order."""
    chains: dict[Slot, list[Run | Remove]] = {}
    for action in actions:
        if isinstance(action, Run | Remove):
            chains.setdefault(action.replica.slot, []).append(action)
    return list(chains.values())


def _before(actions: Iterable[Action]) -> Changes:
    """Records of all that will be started, so that a container without a record is never orch's own doing."""
    put: list[Replica] = []
    delete: list[Key] = []
    for action in actions:
        match action:
            case Run(replica=replica) | Adopt(replica=replica):
                put.append(replica)
            case Forget(replica=replica):
                delete.append(key_of(replica))
            case Remove():
                continue
    return Changes(tuple(put), tuple(delete))


def _after(outcomes: Iterable[Outcome], recorded: Iterable[Replica]) -> Changes:
    """Drops the records of what is gone, and of what was never tried.

    An id names a slot and an attempt: after a lost state, a stray may bear the id of another node's replica.
    """
    gone = [
        outcome.action.replica
        for outcome in outcomes
        if (isinstance(outcome.action, Remove) and not outcome.error and not outcome.skipped)
        or (isinstance(outcome.action, Run) and outcome.skipped)
    ]
    at = {(r.node, r.id) for r in recorded}
    return Changes(delete=tuple(key_of(r) for r in gone if (r.node, r.id) in at))
