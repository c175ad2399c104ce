"""Asking every node at once. A node that fails is a value among the others, and delays none of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from msgspec.structs import replace

from orch.errors import CommandError, HostError
from orch.inventory.hosts import Host
from orch.model.fence import Fence
from orch.model.node import Facts, NodeObservation, Unreachable
from orch.model.resources import Resources
from orch.observe.probe import parse_probe, probe_script
from orch.podman.inspect import LIST_SECONDS
from orch.remote.link import succeeded
from orch.remote.local import Figures, Gauge
from orch.remote.pool import Pool

_CONTAINERS = "/var/lib/containers"
PROBE_SECONDS = 2 * LIST_SECONDS + 10
"""The probe asks podman twice, one after the other; what else it asks goes on meanwhile."""


async def observe_fleet(
    pool: Pool,
    hosts: Sequence[Host],
    cluster: str,
    *,
    fence: Fence | None = None,
    sample_seconds: float = 0,
    inventory: bool = False,
) -> dict[str, NodeObservation]:
    """An observation of every host, by name, in the order of `hosts`. `fence`: for a look that is to be acted upon;
    commands of earlier looks come to nothing from now on. `inventory`: with images and volumes."""
    script = probe_script(cluster, sample_seconds, fence=fence, inventory=inventory)
    seen = await asyncio.gather(*(_observe(pool, host, script) for host in hosts))
    return {host.name: observation for host, observation in zip(hosts, seen, strict=True)}


async def _observe(pool: Pool, host: Host, script: str) -> NodeObservation:
    gauge = Gauge() if host.login.connection == "local" else None
    try:
        result = await pool.link(host).run_script(script, timeout=PROBE_SECONDS)
        succeeded(host.name, "the probe failed", result)
        received = time.time()
        try:
            seen = parse_probe(result.text, received - result.seconds, received)
            return replace(seen, facts=_with_figures(seen.facts, gauge.read(_CONTAINERS))) if gauge else seen
        except ValueError as error:
            raise CommandError(host.name, str(error)) from error
    except HostError as error:
        return Unreachable(time.time(), error.reason)


def _with_figures(facts: Facts, figures: Figures) -> Facts:
    """What the master knows of its own machine by itself; CPU use only where the probe took time to measure it."""
    return replace(
        facts,
        capacity=Resources(figures.cores * 1000, figures.memory),
        memory_used=figures.memory_used,
        load=figures.load,
        disk_free=figures.disk_free,
        cpu_used=None if facts.cpu_used is None else figures.millicpus_used,
    )
