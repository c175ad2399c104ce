"""A client of a running master. Its methods are those of the engine that a command has to itself when none runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from orch import errors
from orch.api.wire import SOCKET, Done, Failed, Finished, Planned, Progress, Status, Waits, Wish, to_wire
from orch.controllers.cluster import plan_cluster
from orch.errors import StateError
from orch.master.engine import Applied, Watcher
from orch.master.volumes import Emptied
from orch.model.node import NodeObservation
from orch.model.plan import Desired, Plan
from orch.model.spec import StackSpec
from orch.model.view import View
from orch.store.protocol import Changes, changed_stacks

T = TypeVar("T")
_BASE = "http://master"
_LINE = 64 << 20
_ANSWER_SECONDS = 30.0
_GONE = "the master ended before it was done; `orch serve` goes on with it"


class Client:
    """`view` is what the master knew when the client was opened."""

    def __init__(self, session: aiohttp.ClientSession, path: Path, view: View) -> None:
        self._session, self._path, self._view = session, path, view

    def desired(self, changed: Changes) -> Desired:
        desired = self._view.desired
        return msgspec.structs.replace(desired, stacks=changed_stacks(desired.stacks, changed))

    def stacks(self) -> tuple[StackSpec, ...]:
        return self._view.desired.stacks

    def recorded_stacks(self) -> set[str]:
        desired = self._view.desired
        return {replica.slot.stack for replica in desired.replicas} | {volume.stack for volume in desired.volumes}

    async def observe(self, *, sample_seconds: float = 0, inventory: bool = False) -> dict[str, NodeObservation]:
        """What the master knows already; nobody is asked."""
        return dict(self._view.observed)

    async def plan(self, changed: Changes, *, inventory: bool = True) -> tuple[View, Plan]:
        """`inventory` says nothing here: the master knows."""
        view = View(self.desired(changed), self._view.observed)
        return view, plan_cluster(view.desired, view.observed, now=time.time())

    async def apply(
        self, changed: Changes, watcher: Watcher, *, stacks: Collection[str] = (), wait_seconds: float = 0
    ) -> Applied:
        wish = msgspec.json.encode(Wish(to_wire(changed), tuple(stacks), wait_seconds))
        try:
            async with self._session.post(f"{_BASE}/v1/apply", data=wish) as response:
                if response.status != 200:
                    raise StateError(f"the master refuses: {await response.text()}")
                async for line in response.content:
                    if (applied := _told(msgspec.json.decode(line, type=Progress), watcher)) is not None:
                        return applied
        except aiohttp.ClientError as error:
            raise StateError(f"{self._path}: {error}: {_GONE}") from None
        raise StateError(f"{self._path}: {_GONE}")

    async def watch(self) -> AsyncIterator[View]:
        """The view now, and another after each change. Raises StateError when the master ends."""
        try:
            async with self._session.get(f"{_BASE}/v1/watch") as response:
                async for line in response.content:
                    yield msgspec.json.decode(line, type=View)
        except aiohttp.ClientError as error:
            raise StateError(f"{self._path}: {error}: the master has ended") from None
        raise StateError(f"{self._path}: the master has ended")

    async def empty(self, stacks: Collection[str], view: View) -> list[Emptied]:
        body = msgspec.json.encode(sorted(stacks))
        async with self._session.post(f"{_BASE}/v1/empty", data=body) as response:
            return msgspec.json.decode(await response.read(), type=list[Emptied])


def _told(progress: Progress, watcher: Watcher) -> Applied | None:
    """The end, if this is it. Raises what the master raised."""
    match progress:
        case Planned(plan):
            watcher.planned(plan)
        case Done(outcome):
            watcher.done(outcome)
        case Waits(replicas):
            watcher.waiting(replicas)
        case Failed(error, message):
            raise getattr(errors, error, StateError)(message)
        case Finished(applied):
            return applied
    return None


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[Client | None]:
    """A client of the master that serves this state, or None where none does."""
    async with _session(folder) as session:
        view = await _get(session, "view", View)
        yield None if view is None else Client(session, folder / SOCKET, view)


async def status(folder: Path) -> Status | None:
    """None where no master serves this state."""
    async with _session(folder) as session:
        return await _get(session, "status", Status)


def _session(folder: Path) -> aiohttp.ClientSession:
    connector = aiohttp.UnixConnector(str(folder / SOCKET))
    return aiohttp.ClientSession(
        connector=connector, read_bufsize=_LINE, timeout=aiohttp.ClientTimeout(total=None, sock_connect=5)
    )


async def _get(session: aiohttp.ClientSession, what: str, kind: type[T]) -> T | None:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS), session.get(f"{_BASE}/v1/{what}") as response:
            return msgspec.json.decode(await response.read(), type=kind)
    except aiohttp.ClientConnectorError:
        return None
    except TimeoutError:
        raise StateError(
            f"the master does not answer within {_ANSWER_SECONDS:g} s; `kill` it and start it again"
        ) from None
