"""Waiting for what was started: looking again at its nodes until every replica has come to rest or time is up."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from orch.controllers.settle import Failed, Settled, Settling, Waiting, settling
from orch.errors import HostError
from orch.inventory.hosts import Host
from orch.model.command import Command
from orch.model.node import NodeObservation
from orch.model.replica import Replica
from orch.model.spec import ServiceSpec
from orch.observe.fleet import observe_fleet
from orch.podman import commands
from orch.remote.pool import Pool

_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 2.0
_ASKED = 8
"""Of how many replicas the output is fetched: what fails a hundred times mostly says the same."""


class Unsettled(msgspec.Struct, frozen=True):
    """`output`: the last lines that it printed, or its check, oldest first."""

    replica: Replica
    why: str
    output: tuple[str, ...] = ()


class Awaited(msgspec.Struct, frozen=True):
    """The replicas that did not come to rest, and the last look at all nodes."""

    unsettled: tuple[Unsettled, ...]
    observed: Mapping[str, NodeObservation]


class Patience:
    """Looks at nodes until what was started there has settled, at most for so many seconds in all."""

    def __init__(self, cluster: str, hosts: Mapping[str, Host], pool: Pool, *, seconds: float) -> None:
        self._cluster, self._hosts, self._pool, self._seconds = cluster, hosts, pool, seconds

    async def wait(
        self,
        started: Sequence[tuple[Replica, ServiceSpec]],
        observed: Mapping[str, NodeObservation],
        told: Callable[[Sequence[Replica]], None],
    ) -> Awaited:
        """`observed` is the look that there is already; `told` gets those that are still waited for."""
        until = time.monotonic() + self._seconds
        pause, latest = _FIRST_PAUSE, dict(observed)
        while True:
            verdicts = [(replica, settling(replica, spec, latest.get(replica.node))) for replica, spec in started]
            waiting = [replica for replica, verdict in verdicts if isinstance(verdict, Waiting)]
            if not waiting or time.monotonic() + pause > until:
                break
            told(waiting)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            nodes = sorted({replica.node for replica in waiting if replica.node in self._hosts})
            latest |= await observe_fleet(self._pool, [self._hosts[name] for name in nodes], self._cluster)
        self._seconds = max(0.0, until - time.monotonic())
        return Awaited(await self._explained(verdicts), latest)

    async def _explained(self, verdicts: Sequence[tuple[Replica, Settling]]) -> tuple[Unsettled, ...]:
        bad = [(replica, verdict) for replica, verdict in verdicts if not isinstance(verdict, Settled)]
        outputs = await asyncio.gather(*(self._output(replica, verdict) for replica, verdict in bad[:_ASKED]))
        outputs += [()] * (len(bad) - len(outputs))
        return tuple(
            Unsettled(replica, verdict.why, output)
            for (replica, verdict), output in zip(bad, outputs, strict=True)
            if not isinstance(verdict, Settled)
        )

    async def _output(self, replica: Replica, verdict: Settling) -> tuple[str, ...]:
        """Nothing where it cannot be had: it is only the explanation of another failure."""
        if replica.node not in self._hosts:
            return ()
        if isinstance(verdict, Failed) and verdict.unhealthy:
            printed = await self._ask(replica, commands.last_check(replica.container))
            try:
                return tuple(json.loads(printed[-1]).splitlines()[-commands.LOG_LINES :]) if printed else ()
            except ValueError:
                return ()
        return await self._ask(replica, commands.last_output(replica.container))

    async def _ask(self, replica: Replica, command: Command) -> tuple[str, ...]:
        link = self._pool.link(self._hosts[replica.node])
        try:
            result = await link.run(command, timeout=commands.LOOK_SECONDS + commands.REMOVE_SECONDS)
        except HostError:
            return ()
        if result.status != 0:
            return ()
        return tuple(line for line in result.text.splitlines() if line.strip())[-commands.LOG_LINES :]
