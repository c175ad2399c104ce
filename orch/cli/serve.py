"""`orch serve`, `orch status`."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import msgspec

from orch.cli.fleet import load_fleet, open_pool, run_async
from orch.cli.output import age, note, print_json, warn
from orch.cli.progress import DONE
from orch.cli.settings import Settings, current_settings, settings_options
from orch.errors import RefusedError
from orch.model.node import Unreachable, node_state
from orch.model.quantities import show_memory

if TYPE_CHECKING:
    from orch.master.executor import Outcome
    from orch.master.master import Master

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
                await _until_ended(_run_and_tell(settings, master))
    note(settings, "ended; what runs on the nodes runs on")
    return 0


async def _run_and_tell(settings: Settings, master: Master) -> None:
    """A line for whatever is done, and for every node that comes or goes."""
    with master.telling(partial(_tell, settings)):
        async with asyncio.TaskGroup() as group:
            group.create_task(master.run())
            told: dict[str, str] = {}
            while True:
                await master.moved()
                for name, seen in master.view().observed.items():
                    state, reason = node_state(seen), seen.reason if isinstance(seen, Unreachable) else seen.problem
                    if told.get(name) != state:
                        (warn if reason else partial(note, settings))(f"{name} is {state}{reason and ': '}{reason}")
                    told[name] = state


def _tell(settings: Settings, outcome: Outcome) -> None:
    action = outcome.action
    where = f"{action.replica.slot} on {action.replica.node}"
    if outcome.error:
        warn(f"{where}: {outcome.error}")
    elif not outcome.skipped:
        note(settings, f"{DONE[type(action)]} {where}: {action.why}")


async def _until_ended(work: Coroutine[Any, Any, None]) -> None:
    """Run it until a signal says to end."""
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
