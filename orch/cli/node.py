"""`orch nodes`."""

from __future__ import annotations

import click

from orch.cli.fleet import load_fleet, open_pool, run_async
from orch.cli.output import Column, Row, emit
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.status import NodeStatus, node_statuses
from orch.model.quantities import format_cpus, show_memory
from orch.store.protocol import Changes

SAMPLE_SECONDS = 0.3
"""Long enough for CPU use to mean something, short enough not to be noticed."""

_COLUMNS = (
    Column("NAME", "name"),
    Column("STATE", "state", style={"ready": "green", "unreachable": "red", "unsuitable": "yellow"}),
    Column("ADDRESS", "address"),
    Column("REPLICAS", "replicas"),
    Column("CPUS", "cpus"),
    Column("REQUESTED", "cpus_requested"),
    Column("USED", "cpus_used"),
    Column("MEMORY", "memory"),
    Column("REQUESTED", "memory_requested"),
    Column("USED", "memory_used"),
    Column("LOAD", "load", wide=True),
    Column("DISK FREE", "disk_free", wide=True),
    Column("SKEW", "clock_skew", wide=True),
    Column("PODMAN", "podman"),
    Column("SYSTEM", "system", wide=True),
    Column("KERNEL", "kernel", wide=True),
    Column("ARCH", "arch", wide=True),
    Column("LABELS", "labels", wide=True),
    Column("WHY", "reason"),
)


@click.command("nodes")
@settings_options
def nodes_command() -> int:
    """The hosts of the fleet: what they have, what replicas ask of them, and what is used now.

    Exit status 3 when some host is not ready.
    """
    return run_async(_nodes(current_settings()))


async def _nodes(settings: Settings) -> int:
    from orch.api.operations import operations

    fleet = load_fleet(settings)
    async with operations(fleet, settings.state, open_pool(settings), changing=False) as running:
        observed = await running.observe(sample_seconds=SAMPLE_SECONDS)
        rows = node_statuses(running.desired(Changes()), observed)

    emit(settings, [_data(row) for row in rows], [_shown(row) for row in rows], _COLUMNS)
    return 0 if all(row.state == "ready" for row in rows) else 3


def _shown(row: NodeStatus) -> Row:
    return {
        "name": row.spec.name,
        "state": row.state if row.spec.schedulable else f"{row.state}, unschedulable",
        "address": row.spec.address,
        "replicas": row.replicas,
        "cpus": format_cpus(row.capacity.millicpus) if row.capacity else "",
        "cpus_requested": format_cpus(row.requested.millicpus),
        "cpus_used": format_cpus(row.cpu_used) if row.cpu_used is not None else "",
        "memory": show_memory(row.capacity.memory) if row.capacity else "",
        "memory_requested": show_memory(row.requested.memory),
        "memory_used": show_memory(row.memory_used) if row.memory_used is not None else "",
        "load": f"{row.load:.2f}" if row.load is not None else "",
        "disk_free": show_memory(row.disk_free) if row.disk_free is not None else "",
        "clock_skew": _skew(row),
        "podman": row.podman or "",
        "system": row.system or "",
        "kernel": row.kernel or "",
        "arch": row.arch or "",
        "labels": ",".join(f"{k}={v}" for k, v in row.spec.labels.items()),
        "reason": row.reason,
    }


def _skew(row: NodeStatus) -> str:
    """The clock against the master's, in no finer steps than are known: `+0.004s`, `-12s`."""
    if row.clock_skew is None or row.clock_error is None:
        return ""
    digits = next((n for n in (3, 2, 1) if row.clock_error < 10**-n * 5), 0)
    return f"{row.clock_skew:+.{digits}f}s"


def _data(row: NodeStatus) -> Row:
    def amount(millicpus: int | None, memory: int | None) -> Row:
        return {"cpus": None if millicpus is None else millicpus / 1000, "memory": memory}

    capacity = row.capacity
    return {
        "name": row.spec.name,
        "state": row.state,
        "schedulable": row.spec.schedulable,
        "address": row.spec.address,
        "labels": dict(row.spec.labels),
        "capacity": amount(capacity.millicpus, capacity.memory) if capacity else amount(None, None),
        "requested": amount(row.requested.millicpus, row.requested.memory),
        "used": amount(row.cpu_used, row.memory_used),
        "replicas": row.replicas,
        "observed_at": row.observed_at,
        "podman": row.podman,
        "reason": row.reason,
        "system": row.system,
        "kernel": row.kernel,
        "arch": row.arch,
        "load": row.load,
        "disk_free": row.disk_free,
        "clock_skew": row.clock_skew,
        "clock_error": row.clock_error,
    }
