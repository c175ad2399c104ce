"""Asking every node at once. A node that fails is a value among the others, and delays none of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from orch.errors import CommandError, HostError
from orch.inventory.hosts import Host
from orch.model.node import NodeObservation, Unreachable
from orch.observe.probe import parse_probe, probe_script
from orch.podman.inspect import LIST_SECONDS
from orch.remote.link import succeeded
from orch.remote.pool import Pool

PROBE_SECONDS = 2 * LIST_SECONDS + 10
"""The probe asks podman twice."""


async def observe_fleet(
    pool: Pool, hosts: Sequence[Host], cluster: str, *, sample_seconds: float = 0
) -> dict[str, NodeObservation]:
    """An observation of every host, by name, in the order of `hosts`."""
    script = probe_script(cluster, sample_seconds)
    seen = await asyncio.gather(*(_observe(pool, host, script) for host in hosts))
    return {host.name: observation for host, observation in zip(hosts, seen, strict=True)}


async def _observe(pool: Pool, host: Host, script: str) -> NodeObservation:
    try:
        result = await pool.link(host).run_script(script, timeout=PROBE_SECONDS)
        succeeded(host.name, "the probe failed", result)
        received = time.time()
        try:
            return parse_probe(result.text, received - result.seconds, received)
        except ValueError as error:
            raise CommandError(host.name, str(error)) from error
    except HostError as error:
        return Unreachable(time.time(), error.reason)
