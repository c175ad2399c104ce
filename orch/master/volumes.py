"""Removing the volumes of stacks that are gone, on every node that has any."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import msgspec

from orch.errors import CommandError, HostError
from orch.inventory.hosts import Host
from orch.model.node import NodeObservation, Reachable
from orch.podman.explain import Situation, explain
from orch.podman.volumes import VOLUME_SECONDS, parse_removed, remove_volumes
from orch.remote.pool import Pool
from orch.store.protocol import Changes, Store, key_of


class Emptied(msgspec.Struct, frozen=True):
    """What became of one stack's volumes on one node. `foreign`: recorded ones that somebody else made; they stay."""

    stack: str
    node: str
    removed: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    error: str = ""


async def empty_stacks(
    cluster: str,
    hosts: Mapping[str, Host],
    pool: Pool,
    store: Store,
    observed: Mapping[str, NodeObservation],
    stacks: Collection[str],
) -> list[Emptied]:
    """Of nodes that cannot be asked, those are told of where volumes are recorded; their records stay."""
    recorded = [volume for volume in store.volumes() if volume.stack in stacks]
    usable = {name for name, seen in observed.items() if isinstance(seen, Reachable) and not seen.problem}
    nodes = sorted(usable & set(hosts)), sorted({volume.node for volume in recorded} - usable)
    pairs = [(stack, node) for stack in sorted(stacks) for node in nodes[0]]
    names = {pair: [v.name for v in recorded if (v.stack, v.node) == pair] for pair in pairs}
    emptied = await asyncio.gather(
        *(_empty(cluster, hosts[node], pool, stack, names[stack, node]) for stack, node in pairs)
    )
    gone = {(e.node, name) for e in emptied if not e.error for name in names[e.stack, e.node] if name not in e.foreign}
    store.commit(Changes(delete=tuple(key_of(volume) for volume in recorded if (volume.node, volume.name) in gone)))
    away = [
        Emptied(volume.stack, volume.node, error=f"volume {volume.name} is there, and the node cannot be used now")
        for volume in recorded
        if volume.node in nodes[1]
    ]
    return [*emptied, *away]


async def _empty(cluster: str, host: Host, pool: Pool, stack: str, recorded: Sequence[str]) -> Emptied:
    try:
        result = await pool.link(host).run(remove_volumes(cluster, stack), timeout=VOLUME_SECONDS * 2)
        removed, left = parse_removed(result.text)
        if result.status != 0:
            said = result.stderr.decode(errors="replace") or f"exit status {result.status}"
            raise CommandError(host.name, f"podman: {explain(said, Situation(host.name))}")
    except HostError as error:
        return Emptied(stack, host.name, error=error.reason)
    return Emptied(stack, host.name, tuple(removed), tuple(name for name in recorded if name in left))
