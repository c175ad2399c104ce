"""Following one node: a look after every gap, what happens there as it happens, and what silence means."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from orch.errors import ConnectError, HostError
from orch.inventory.hosts import Host
from orch.model.fence import Fence
from orch.model.instant import Instant
from orch.model.node import NodeObservation, Reachable, Unreachable
from orch.observe.fleet import observe_fleet
from orch.observe.watch import Event, Frame, parse_line, watch_script
from orch.remote.pool import Pool

SILENCE_SECONDS = 4.5
"""Two frames and a little more: a node that says nothing for so long is suspect."""

RESYNC_SECONDS = 60.0
_DEBOUNCE_SECONDS = 0.05
_PAUSES = (0.0, 0.5, 1.0, 2.0, 3.0)
_YEARS = 10 * 365 * 86_400.0
_LONGEST_LINE = 1 << 16


class NodeWatch:
    """`run` never returns. `observation` is the last one, `seen` the number of the look that it comes from, `looks`
    counts the looks that were begun."""

    def __init__(self, host: Host, cluster: str, pool: Pool, fence: Fence, changed: Callable[[], None]) -> None:
        """`fence`: of the master's term; after each gap a later look is left on the node. `changed` is told when there
        is a new observation."""
        self.host, self.fence = host, fence
        self._cluster, self._pool, self._changed = cluster, pool, changed
        self.observation: NodeObservation = Unreachable(time.time(), "it has not been looked at yet")
        self.figures: Frame | None = None
        self.looks = self.seen = 0
        self._heard = time.monotonic()
        self.tried = asyncio.Event()
        """The first look has been taken, or has failed."""
        self._wanted = asyncio.Event()
        self._buffer = b""

    def look_soon(self) -> int:
        """Have the node looked at again; the number of the look that will tell what is so from now on."""
        self._wanted.set()
        return self.looks + 1

    async def run(self) -> None:
        failures = 0
        while True:
            reached = False
            try:
                await self._follow()
            except* HostError as group:
                error = _first(group)
                reached = isinstance(self.observation, Reachable)
                self._set(Unreachable(time.time(), error.reason, self._heard_at(), suspect=reached))
            # The second look is at once, over a fresh connection; only that one decides.
            failures = 0 if reached else failures + 1
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])

    async def _follow(self) -> None:
        """Until the connection is lost or silent. Raises HostError, in groups."""
        self._pool.link(self.host).drop()
        # What was sent over the last connection and has not begun yet must not begin any more.
        self.fence = msgspec.structs.replace(self.fence, look=self.fence.look + 1)
        await self._pool.link(self.host).open()
        self._heard = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear())
            group.create_task(self._mind_silence())
            group.create_task(self._look_again_and_again())

    async def _hear(self) -> None:
        self._buffer = b""
        script = watch_script(cluster=self._cluster)
        status = await self._pool.link(self.host).stream(script, self._take, timeout=_YEARS)
        raise ConnectError(self.host.name, f"its watch ended with exit status {status}")

    def _take(self, data: bytes, stderr: bool) -> None:
        self._heard = time.monotonic()
        if stderr:
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > _LONGEST_LINE:
            raise ValueError("its watch prints lines without an end")
        for line in lines:
            match parse_line(line.decode(errors="replace"), time.time()):
                case Frame() as frame:
                    self.figures = frame
                case Event():
                    self._wanted.set()

    async def _mind_silence(self) -> None:
        while (left := self._heard + SILENCE_SECONDS - time.monotonic()) > 0:  # noqa: ASYNC110 - silence is no event
            await asyncio.sleep(left)
        self._pool.link(self.host).drop()
        raise ConnectError(self.host.name, f"it has said nothing for {SILENCE_SECONDS:g} s")

    async def _look_again_and_again(self) -> None:
        while True:
            await self._look(inventory=True)
            due = time.monotonic() + RESYNC_SECONDS
            while (left := due - time.monotonic()) > 0:
                try:
                    async with asyncio.timeout(left):
                        await self._wanted.wait()
                except TimeoutError:
                    break
                await asyncio.sleep(_DEBOUNCE_SECONDS)
                await self._look(inventory=False)

    async def _look(self, *, inventory: bool) -> None:
        """Raises HostError. `inventory`: images and volumes are listed too, for two more starts of podman."""
        self._wanted.clear()
        self.looks += 1
        number, before = self.looks, self.observation
        found = await observe_fleet(self._pool, [self.host], self._cluster, fence=self.fence, inventory=inventory)
        seen = found[self.host.name]
        if isinstance(seen, Unreachable):
            raise ConnectError(self.host.name, seen.reason)
        if not inventory and isinstance(before, Reachable):
            seen = msgspec.structs.replace(seen, images=before.images, volumes=before.volumes)
        self.seen = number
        self._set(seen)

    def _set(self, observation: NodeObservation) -> None:
        self.observation = observation
        self.tried.set()
        self._changed()

    def _heard_at(self) -> Instant:
        return time.time() - (time.monotonic() - self._heard)


def _first(group: BaseExceptionGroup[HostError]) -> HostError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, HostError)
    return error
