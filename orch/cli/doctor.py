"""`orch doctor`."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from orch.cli.fleet import CONNECT_SECONDS, load_fleet, open_pool, run_async
from orch.cli.output import Column, Row, emit, note
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.doctor import diagnose, exit_status
from orch.controllers.finding import Finding
from orch.inventory.hosts import Host
from orch.model.checkup import Examination

_COLUMNS = (
    Column("HOST", "name"),
    Column("LEVEL", "level", style={"ok": "green", "error": "red", "warning": "yellow"}),
    Column("CHECK", "check", wide=True),
    Column("FINDING", "message"),
    Column("NEEDED FOR", "needed_for", wide=True),
    Column("REMEDY", "remedy"),
)


@click.command("doctor")
@click.argument("pattern", default="all")
@settings_options
def doctor_command(pattern: str) -> int:
    """What each host lacks or has set wrongly for its part, and the command that mends it.

    PATTERN: as for `orch run`. Nothing on the hosts is changed. An error keeps a host from taking part, a warning
    costs it something, a hint is worth knowing.

    Exit status: 0 when every host can take part, 1 when none can, 3 when some cannot.
    """
    settings = current_settings()
    hosts = load_fleet(settings).select(pattern)
    findings = diagnose(run_async(_examine(settings, hosts)))
    names = [host.name for host in hosts]
    rows = _rows(names, findings)
    emit(settings, rows, [{"name": row["host"], **row} for row in rows], _COLUMNS)
    if findings and settings.output in {"table", "wide"}:
        note(settings, "remedies are for root on the host itself: orch run HOST -b -- 'REMEDY'")
    return exit_status(findings, names)


async def _examine(settings: Settings, hosts: Sequence[Host]) -> dict[str, Examination]:
    from orch.observe.doctor import examine_fleet

    async with open_pool(settings) as pool, open_pool(settings) as unprivileged:
        return await examine_fleet(pool, unprivileged, hosts, timeout=settings.timeout or CONNECT_SECONDS)


def _rows(hosts: Sequence[str], findings: Sequence[Finding]) -> list[Row]:
    """A row for each finding, and one for each host that has none."""
    rows: list[Row] = []
    for host in hosts:
        own = [finding for finding in findings if finding.host == host]
        rows += [msgspec.to_builtins(finding) for finding in own] or [
            {"host": host, "level": "ok", "check": "", "message": "", "remedy": "", "needed_for": ""}
        ]
    return rows
