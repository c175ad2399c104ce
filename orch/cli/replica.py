"""`orch ps`."""

from __future__ import annotations

from collections.abc import Mapping

import click
import msgspec

from orch.cli.fleet import load_fleet, open_pool, run_async, warn_of_nodes
from orch.cli.output import Column, Row, age, emit
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.jobs import jobs_of
from orch.controllers.status import ReplicaStatus, brief_reason, replica_statuses
from orch.errors import UsageError
from orch.model.node import NodeObservation, Unreachable
from orch.store.protocol import Changes

_COLUMNS = (
    Column("NAME", "name"),
    Column("NODE", "node"),
    Column(
        "STATE",
        "state",
        style={"running": "green", "exited": "red", "missing": "red", "unknown": "yellow", "pending": "yellow"},
    ),
    Column("RESTARTS", "restarts"),
    Column("ADDRESS", "addresses"),
    Column("AGE", "age"),
    Column("IMAGE", "image"),
    Column("ID", "id", wide=True),
    Column("WHY", "reason"),
)


@click.command("ps")
@click.argument("name", required=False)
@click.option("-a", "--all", "every", is_flag=True, help="The containers of jobs too, which `orch job ls` lists.")
@settings_options
def ps_command(name: str | None, every: bool) -> int:
    """The replicas: where they run and how they are.

    NAME: a STACK, a STACK/SERVICE or a STACK/SERVICE.SLOT. Exit status 3 when some node does not answer.
    """
    return run_async(_ps(current_settings(), name, every=every))


async def _ps(settings: Settings, name: str | None, *, every: bool) -> int:
    from orch.api.operations import operations

    fleet = load_fleet(settings)
    async with operations(fleet, settings.state, open_pool(settings), changing=False) as running:
        view, plan = await running.plan(Changes(), inventory=False)
    observed = view.observed
    rows = replica_statuses(view.desired, observed, plan.refusals)
    if name is not None:
        rows = [row for row in rows if name in (row.stack, f"{row.stack}/{row.service}", row.name)]
        if not rows:
            raise UsageError(f"nothing is called {name}; `orch ps --all` lists all there is")
    elif not every:
        jobs = {(row.stack, row.service) for row in jobs_of(view.desired, rows)}
        rows = [row for row in rows if (row.stack, row.service) not in jobs]
    emit(settings, [_data(row) for row in rows], [_shown(row, observed) for row in rows], _COLUMNS)
    warn_of_nodes(observed)
    lost = any(isinstance(observation, Unreachable) for observation in observed.values())
    return 3 if lost or any(row.state == "unknown" for row in rows) else 0


def _data(row: ReplicaStatus) -> Row:
    fields: Row = msgspec.to_builtins(row)
    return fields


def _shown(row: ReplicaStatus, observed: Mapping[str, NodeObservation]) -> Row:
    return {
        "name": row.name,
        "node": row.node or "",
        "state": row.state,
        "restarts": row.restarts,
        "addresses": ",".join(row.addresses),
        "age": age(row.started_at),
        "image": row.image,
        "id": row.id or "",
        "reason": brief_reason(row, observed),
    }
