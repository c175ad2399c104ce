"""`orch serve`, `orch status`."""

from __future__ import annotations

import asyncio
import signal
import time

import click
import msgspec

from orch.cli.fleet import load_fleet, open_pool, run_async
from orch.cli.output import age, note, print_json
from orch.cli.settings import Settings, current_settings, settings_options
from orch.errors import RefusedError
from orch.model.quantities import show_memory

CONNECT_SECONDS = 4.0
"""With the silence before it, it is over before a node is given up: the second look must have been had by then."""


@click.command("serve")
@settings_options
def serve_command() -> int:
    """The master: keeps everything as it is wanted, until it is ended.

    It stays in the foreground. While it runs, other commands with the same state are its clients. Ended by SIGTERM or
    Ctrl-C, it leaves every container running; started again, it goes on where it was.
    """
    return run_async(_serve(current_settings()))


@click.command("status")
@settings_options
def status_command() -> int:
    """How the master is. Exit status 4 when none runs."""
    return run_async(_status(current_settings()))


async def _serve(settings: Settings) -> int:
    from orch.api.server import serving
    from orch.master.master import Master
    from orch.master.runtime import state_folder
    from orch.store.opened import opened

    fleet = load_fleet(settings)
    folder = state_folder(fleet.cluster, settings.state)
    with opened(folder, fleet.cluster, changing=True) as store:
        async with open_pool(settings, timeout=CONNECT_SECONDS) as pool:
            master = Master(fleet, pool, store)
            async with serving(master, folder):
                note(settings, f"serving {fleet.cluster} with {len(fleet.hosts)} nodes, state in {folder}")
                await _until_ended(master.run())
    return 0


async def _until_ended(work: object) -> None:
    """Run it until a signal says to end."""
    assert asyncio.iscoroutine(work)
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


async def _status(settings: Settings) -> int:
    from orch.api.client import status
    from orch.master.runtime import state_folder

    fleet = load_fleet(settings)
    found = await status(state_folder(fleet.cluster, settings.state))
    if found is None:
        raise RefusedError(f"no master runs for {fleet.cluster} here; `orch serve` starts one")
    if settings.output == "json":
        print_json(msgspec.to_builtins(found))
        return 0
    health = found.health
    share = found.cpu / max(0.001, time.time() - health.started_at)
    nodes = ", ".join(f"{count} {state}" for state, count in sorted(health.nodes.items()))
    for title, value in (
        ("cluster", found.cluster),
        ("master", f"orch {found.version}, process {found.pid}, up {age(health.started_at)}, term {health.term}"),
        ("nodes", nodes),
        (
            "loop",
            f"{health.passes} passes, the last took {health.pass_seconds * 1000:.1f} ms; {health.busy} slots busy",
        ),
        ("uses", f"{share:.1%} of a core, {show_memory(found.memory)} of memory"),
        ("state", f"revision {health.revision}, {show_memory(found.store)}"),
    ):
        click.echo(f"{title + ':':<9} {value}")
    return 0
