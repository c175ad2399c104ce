"""`orch services`, `orch stacks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import click
import msgspec

from orch.cli.fleet import load_fleet, open_pool, run_async, warn_of_nodes
from orch.cli.output import Column, Row, emit
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.services import ServiceStatus, StackStatus, service_statuses, stack_statuses
from orch.errors import UsageError
from orch.model.node import NodeObservation, Unreachable
from orch.model.plan import Desired
from orch.store.protocol import Changes

Rows = Callable[[Desired, Mapping[str, NodeObservation]], tuple[list[Row], list[Row]]]

_SERVICES = (
    Column("NAME", "name"),
    Column("MODE", "mode"),
    Column("DESIRED", "desired"),
    Column("RUNNING", "running"),
    Column("READY", "ready"),
    Column("UPDATED", "updated"),
    Column("PORTS", "ports"),
    Column("ENDPOINTS", "endpoints", wide=True),
    Column("IMAGE", "image"),
)
_STACKS = (
    Column("NAME", "name"),
    Column("SERVICES", "services"),
    Column("DESIRED", "desired"),
    Column("RUNNING", "running"),
    Column("READY", "ready"),
    Column("WHY", "why"),
)


@click.command("services")
@click.argument("stack", required=False)
@settings_options
def services_command(stack: str | None) -> int:
    """The services: how many replicas each should have, and has. Exit status 3 when some node does not answer."""
    return run_async(_show(current_settings(), lambda *seen: _services(stack, service_statuses(*seen)), _SERVICES))


@click.command("stacks")
@settings_options
def stacks_command() -> int:
    """The stacks: their services, and how many replicas run. Exit status 3 when some node does not answer."""
    return run_async(_show(current_settings(), lambda *seen: _stacks(stack_statuses(*seen)), _STACKS))


async def _show(settings: Settings, rows: Rows, columns: Sequence[Column]) -> int:
    from orch.api.operations import operations

    fleet = load_fleet(settings)
    async with operations(fleet, settings.state, open_pool(settings), changing=False) as running:
        observed = await running.observe()
        data, shown = rows(running.desired(Changes()), observed)
    emit(settings, data, shown, columns)
    warn_of_nodes(observed)
    return 3 if any(isinstance(observation, Unreachable) for observation in observed.values()) else 0


def _services(stack: str | None, found: Sequence[ServiceStatus]) -> tuple[list[Row], list[Row]]:
    rows = [row for row in found if stack in {None, row.stack}]
    if stack is not None and not rows:
        raise UsageError(f"there is no stack {stack}; `orch stacks` lists them")
    data: list[Row] = [msgspec.to_builtins(row) for row in rows]
    shown = [
        {**plain, "name": row.name, "ports": ", ".join(_ports(row)), "endpoints": ", ".join(row.endpoints)}
        for row, plain in zip(rows, data, strict=True)
    ]
    return data, shown


def _ports(row: ServiceStatus) -> Iterator[str]:
    for port in row.ports:
        yield f"{port} (not open yet)" if port in row.closed_ports else port


def _stacks(rows: Sequence[StackStatus]) -> tuple[list[Row], list[Row]]:
    data: list[Row] = [msgspec.to_builtins(row) for row in rows]
    return data, [{**row, "why": _leaving(row["leaving"])} for row in data]


def _leaving(replicas: int) -> str:
    return f"it is being removed; {replicas} of its replicas are left" if replicas else ""
