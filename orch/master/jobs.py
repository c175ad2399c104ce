"""Running a job: placed under the state's lock, followed without it, and cleaned up under it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from orch.controllers.jobs import PREFIX, is_job, only
from orch.errors import CommandError, ConnectError, RefusedError, StateError
from orch.inventory.fleet import Fleet
from orch.master.engine import Engine
from orch.master.executor import Outcome
from orch.master.said import Said
from orch.model.plan import Forget
from orch.model.replica import Replica
from orch.model.spec import StackSpec
from orch.model.view import View
from orch.podman.jobs import Ended, is_gone, logs_script, parse_ended, wait_script
from orch.remote.link import Link
from orch.remote.pool import Pool
from orch.remote.stream import Sink
from orch.store.opened import opened
from orch.store.protocol import Changes, Key
from orch.store.tinydb import TinyStore

LOCK_SECONDS = 120.0
"""How long the end of a job waits for whoever has the state, an apply perhaps."""

RECONNECT_SECONDS = 120.0
_WHY, _LEFT = "not wanted any more", "it is still on record"
_NO_LIMIT = 10 * 365 * 86_400.0


class Jobs:
    """Jobs of one cluster. Everything that changes the state takes its lock, and gives it back."""

    def __init__(self, fleet: Fleet, folder: Path, pool: Pool) -> None:
        """`folder`: where the state is."""
        self._fleet, self._folder, self._pool = fleet, folder, pool
        self._hosts = {host.name: host for host in fleet.hosts}

    def _store(self, *, changing: bool = True) -> AbstractContextManager[TinyStore]:
        return opened(self._folder, self._fleet.cluster, changing=changing)

    async def look(self) -> View:
        with self._store(changing=False) as store:
            engine = Engine(self._fleet, self._pool, store)
            return View(engine.desired(Changes()), await engine.observe())

    def replica(self, job: str) -> Replica:
        """Where a job runs. Raises RefusedError when there is none of this name."""
        with self._store(changing=False) as store:
            recorded = [r for r in store.replicas() if r.slot.stack == f"{PREFIX}{job}"]
        if not recorded:
            raise RefusedError(f"there is no job {job}; `orch job ls` lists them")
        return recorded[-1]

    def link(self, replica: Replica) -> Link:
        """Raises RefusedError when its node has left the inventory."""
        if replica.node not in self._hosts:
            raise RefusedError(f"{replica.slot.stack} is on {replica.node}, which has left the inventory")
        return self._pool.link(self._hosts[replica.node])

    async def start(self, stack: StackSpec) -> Replica:
        """Place the job and start it. Raises RefusedError when it fits nowhere or its name is taken, and leaves nothing
        of a job that could not be started."""
        with self._store() as store:
            taken = {s.name for s in store.stacks()} | {r.slot.stack for r in store.replicas()}
            if stack.name in taken:
                job = stack.name.removeprefix(PREFIX)
                raise RefusedError(f"there is a job {job} already; give another --name, or orch job rm {job}")
            engine = Engine(self._fleet, self._pool, store)
            view, plan = await engine.plan(Changes(put=(stack,)), acting=True)
            plan = only(plan, stack.name)
            if plan.refusals or not plan.actions:
                why = plan.refusals[0].reason if plan.refusals else "nobody can say why"
                raise RefusedError(f"{stack.name} cannot be placed: {why}")
            store.commit(Changes(put=(stack,)))
            try:
                # A container that somebody's lost state has left may have to go first.
                outcomes = await engine.execute(plan, view, lambda outcome: None)
                for outcome in outcomes:
                    if outcome.error:
                        raise CommandError(outcome.action.replica.node, f"{stack.name}: {outcome.error}")
                return outcomes[-1].action.replica
            except BaseException:
                # Interrupted, too: nobody would come back for what was only half begun.
                await self._remove(store, stack.name)
                raise

    async def _try_to_remove(self, job: str) -> list[Outcome]:
        name = f"{PREFIX}{job}"
        with self._store() as store:
            stack = next((s for s in store.stacks() if s.name == name), None)
            recorded = any(r.slot.stack == name for r in store.replicas())
            if not (recorded or stack) or (stack is not None and not is_job(stack)):
                raise RefusedError(f"there is no job {job}; `orch job ls` lists them")
            return await self._remove(store, name)

    async def remove(self, job: str, waiting: Callable[[str], None]) -> list[Outcome]:
        """Stop a job and remove it; what could not be done has an error. While another process has the state, it waits,
        and tells `waiting` once. Raises RefusedError when there is no such job."""
        loop = asyncio.get_running_loop()
        until, told = loop.time() + LOCK_SECONDS, False
        while True:
            try:
                return await self._try_to_remove(job)
            except StateError as error:
                if loop.time() >= until:
                    raise
                if not told:
                    waiting(str(error))
                told = True
            await asyncio.sleep(0.2)

    async def _remove(self, store: TinyStore, name: str) -> list[Outcome]:
        store.commit(Changes(delete=(Key("stack", name),)))
        engine = Engine(self._fleet, self._pool, store)
        view, plan = await engine.plan(Changes(), acting=True, inventory=False)
        outcomes = await engine.execute(only(plan, name), view, lambda outcome: None)
        told = {outcome.action.replica.id for outcome in outcomes if outcome.error}
        reasons = {refusal.node: refusal.reason for refusal in plan.refusals}
        # Where the node does not answer, the plan has nothing to do, and still it is not done.
        left = [r for r in store.replicas() if r.slot.stack == name and r.id not in told]
        return [*outcomes, *(Outcome(Forget(r, _WHY), reasons.get(r.node, _LEFT), lost=True) for r in left)]

    async def follow(self, replica: Replica, sink: Sink, lost: Callable[[str], None]) -> Ended | None:
        """Hand on all that the job says, and return when it has ended; None when its container is gone.

        When the connection is lost, `lost` is told, and it goes on where it was as soon as there is one again. Raises
        ConnectError when there is none for RECONNECT_SECONDS.
        """
        loop, link = asyncio.get_running_loop(), self.link(replica)
        tail = Tail(sink)
        until: float | None = None
        while True:
            began = loop.time()
            try:
                await link.stream(logs_script(replica.container, follow=True), tail.again(), timeout=_NO_LIMIT)
                return await self._ended(link, replica)
            except ConnectError as error:
                held = loop.time() - began > RECONNECT_SECONDS
                if until is None or held or tail.moved_at > began:
                    lost(error.reason)
                    until = loop.time() + RECONNECT_SECONDS
                if loop.time() >= until:
                    raise
            await asyncio.sleep(1.0)

    async def _ended(self, link: Link, replica: Replica) -> Ended | None:
        out, err = Said(), Said()

        def sink(data: bytes, stderr: bool) -> None:
            (err if stderr else out).take(data)

        status = await link.stream(wait_script(replica.container), sink, timeout=_NO_LIMIT)
        if status != 0:
            if is_gone(str(err)):
                return None
            raise CommandError(link.host.name, f"{replica.slot.stack}: podman wait: {err or status}")
        try:
            return parse_ended(str(out))
        except ValueError:
            raise CommandError(link.host.name, f"{replica.slot.stack}: podman says of its end only: {out}") from None

    async def logs(self, replica: Replica, sink: Sink) -> int:
        """All that it has said until now; the exit status of podman."""
        return await self.link(replica).stream(logs_script(replica.container, follow=False), sink, timeout=_NO_LIMIT)


class Tail:
    """Hands on what is new of two streams that are read again from their beginning."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._passed = [0, 0]
        self.moved_at = 0.0

    def again(self) -> Sink:
        """For a reading from the beginning."""
        seen = [0, 0]

        def take(data: bytes, stderr: bool) -> asyncio.Future[None] | None:
            skipped = max(0, min(len(data), self._passed[stderr] - seen[stderr]))
            seen[stderr] += len(data)
            if skipped == len(data):
                return None
            self._passed[stderr] = seen[stderr]
            self.moved_at = asyncio.get_running_loop().time()
            return self._sink(data[skipped:], stderr)

        return take
