"""`orch job`."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orch.cli.fleet import load_fleet, open_pool, run_async, warn_of_nodes
from orch.cli.output import Column, Row, age, emit, note, warn
from orch.cli.printers import HostResult, Lines, Output, Sink
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.jobs import PREFIX, job_stack, jobs_of, read_environment
from orch.controllers.status import ReplicaStatus, replica_statuses
from orch.errors import HostError, InputError, RefusedError, StateError, UsageError
from orch.model.node import Unreachable
from orch.model.quantities import parse_cpus, parse_memory
from orch.model.resources import Resources
from orch.model.spec import StackSpec
from orch.podman.images import check_image_name

if TYPE_CHECKING:
    from orch.master.jobs import Jobs
    from orch.model.replica import Replica

TIMED_OUT = 124
"""As with timeout(1)."""

_COLUMNS = (
    Column("NAME", "name"),
    Column("NODE", "node"),
    Column("STATE", "state", style={"running": "green", "missing": "red", "unknown": "yellow"}),
    Column("EXIT", "exit_code"),
    Column("AGE", "age"),
    Column("IMAGE", "image"),
    Column("WHY", "reason"),
)


@click.group("job", context_settings={"help_option_names": ["-h", "--help"]})
def job_command() -> None:
    """One-off containers, each on the node that suits it best."""


@job_command.command("run", short_help="Run a container to its end and return its exit status.")
@click.option("--image", required=True, metavar="IMAGE", help="What to run.")
@click.option("--cpus", metavar="CORES", help="Set aside so much CPU for it, and give it no more.")
@click.option("--memory", metavar="SIZE", help="Set aside so much memory for it, like 512m, and give it no more.")
@click.option("--name", metavar="NAME", help="Call it so. Default: six random letters and digits.")
@click.option("-e", "--env", "variables", multiple=True, metavar="KEY=VALUE", help="Its environment; KEY alone: yours.")
@click.option(
    "--env-file",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Its environment, KEY=VALUE a line.",
)
@click.option("--max-time", type=click.FloatRange(min=0.1), metavar="SECONDS", help="End it when it takes longer.")
@click.option("--keep", is_flag=True, help="Leave its container when it has ended.")
@click.option("-d", "--detach", is_flag=True, help="Print its name and do not wait for it.")
@click.argument("command", nargs=-1)
@settings_options
def run(
    image: str,
    cpus: str | None,
    memory: str | None,
    name: str | None,
    variables: tuple[str, ...],
    files: tuple[Path, ...],
    max_time: float | None,
    keep: bool,
    detach: bool,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND in a container of IMAGE on the node that suits it best; put -- before it.

    Its output is printed as it comes, and its exit status is orch's. Ctrl-C stops it and removes it. When orch itself
    is killed, the job runs on: `orch job ls` shows it, `orch job logs` and `orch job rm` deal with it.

    Exit status: the job's; 4 when it fits on no node, 124 when --max-time is over, 1 when it cannot be run.
    """
    settings = current_settings()
    if detach and max_time:
        raise UsageError("--max-time needs somebody who waits; leave out --detach")
    try:
        check_image_name(image)
        resources = Resources(parse_cpus(cpus) if cpus else 0, parse_memory(memory) if memory else 0)
        stack = job_stack(
            name if name is not None else secrets.token_hex(3),
            image,
            command,
            _environment(variables, files),
            resources,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    return run_async(_run(settings, stack, max_time=max_time, keep=keep, detach=detach))


def _environment(variables: tuple[str, ...], files: tuple[Path, ...]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for file in files:
        try:
            found |= read_environment(file.read_text().split("\n"), os.environ)
        except OSError as error:
            raise InputError(file, None, f"cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise InputError(file, None, str(error)) from error
    for variable in variables:
        try:
            found |= read_environment([variable], os.environ)
        except ValueError as error:
            raise UsageError(f"-e: {str(error).partition(': ')[2]}") from None
    return found


async def _run(settings: Settings, stack: StackSpec, *, max_time: float | None, keep: bool, detach: bool) -> int:
    from orch.master.runtime import jobs

    job = stack.name.removeprefix(PREFIX)
    fleet = load_fleet(settings)
    async with open_pool(settings) as pool:
        running = jobs(fleet, settings.state, pool)
        replica = await running.start(stack)
        note(settings, f"job {job} runs on {replica.node}")
        if detach:
            click.echo(job)
            return 0
        try:
            status = await _follow(running, replica, job, max_time)
        except HostError as error:
            hint = f"the job may run on: orch job logs -f {job} follows it, orch job rm {job} stops it"
            raise type(error)(error.host, f"{error.reason}; {hint}") from error
        except BaseException:
            # Interrupted, or nobody reads its output any more.
            note(settings, f"stopping job {job}")
            await _remove(settings, running, job)
            raise
        if status == TIMED_OUT or not keep:
            await _remove(settings, running, job)
        return status


async def _follow(running: Jobs, replica: Replica, job: str, max_time: float | None) -> int:
    """Print what it says; its exit status."""
    from orch.cli.printing import Printing

    def lost(reason: str) -> None:
        warn(f"{replica.node}: {reason}; job {job} runs on there, and its output comes as soon as there is a way to it")

    async with Printing(Plain()) as printing:
        try:
            async with asyncio.timeout(max_time):
                ended = await running.follow(replica, printing.sink(job), lost)
        except TimeoutError:
            # What nobody reads must not keep it alive: the rest of its output gets a moment and no more.
            warn(f"job {job} was ended after {max_time:g} s")
            return TIMED_OUT
        await printing.settle(job)
    if ended is None:
        warn(f"job {job}: its container on {replica.node} was removed meanwhile")
        return 1
    if ended.out_of_memory:
        warn(f"job {job}: it ran out of memory; give it more with --memory")
    return ended.exit_code


async def _remove(settings: Settings, running: Jobs, job: str) -> bool:
    """Whether it is gone; if not, why is told."""
    try:
        outcomes = await running.remove(job, waiting=lambda why: note(settings, f"job {job} has ended; {why}"))
    except StateError as error:
        warn(f"{error}; job {job} is left as it is: orch job rm {job} removes it")
        return False
    for outcome in outcomes:
        if outcome.error:
            node = outcome.action.replica.node
            warn(f"{node}: job {job} cannot be removed: {outcome.error}; orch job rm {job} tries again")
    return not any(outcome.error for outcome in outcomes)


class Plain:
    """Prints one job's output: as it is, but to a terminal in whole lines and with control characters made visible."""

    def __init__(self) -> None:
        outputs = Output(sys.stdout), Output(sys.stderr)
        self._lines = [Lines(b"", output.write, shown=True) if output.on_terminal else None for output in outputs]
        self._outputs = outputs

    def sink(self, host: str) -> Sink:
        def take(data: bytes, stderr: bool) -> None:
            lines = self._lines[stderr]
            if lines is not None:
                lines.feed(data)
            else:
                self._outputs[stderr].write(data)

        return take

    def collected(self, host: str) -> tuple[str, str]:
        return "", ""

    def finish(self, result: HostResult) -> None:
        for lines in self._lines:
            if lines is not None:
                lines.end()


@job_command.command("ls")
@settings_options
def ls() -> int:
    """The jobs that there are: where each runs, or how it ended.

    Exit status 3 when some node does not answer.
    """
    return run_async(_ls(current_settings()))


async def _ls(settings: Settings) -> int:
    from orch.master.runtime import jobs

    async with open_pool(settings) as pool:
        view = await jobs(load_fleet(settings), settings.state, pool).look()
    rows = jobs_of(view.desired, replica_statuses(view.desired, view.observed))
    emit(settings, [_data(row) for row in rows], [_shown(row) for row in rows], _COLUMNS)
    warn_of_nodes(view.observed)
    return 3 if any(isinstance(observation, Unreachable) for observation in view.observed.values()) else 0


def _data(row: ReplicaStatus) -> Row:
    return {
        "name": row.stack.removeprefix(PREFIX),
        "node": row.node,
        "state": row.state,
        "exit_code": row.exit_code,
        "started_at": row.started_at,
        "image": row.image,
        "reason": row.reason,
    }


def _shown(row: ReplicaStatus) -> Row:
    return {
        **_data(row),
        "node": row.node or "",
        "exit_code": "" if row.exit_code is None else row.exit_code,
        "age": age(row.started_at),
    }


@job_command.command("logs")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends, and return its exit status.")
@click.argument("job")
@settings_options
def logs(follow: bool, job: str) -> int:
    """What a job has said."""
    return run_async(_logs(current_settings(), job, follow=follow))


async def _logs(settings: Settings, job: str, *, follow: bool) -> int:
    from orch.cli.printing import Printing
    from orch.master.runtime import jobs

    async with open_pool(settings) as pool:
        running = jobs(load_fleet(settings), settings.state, pool)
        replica = running.replica(job)
        if follow:
            return await _follow(running, replica, job, None)
        async with Printing(Plain()) as printing:
            status = await running.logs(replica, printing.sink(job))
            await printing.settle(job)
        return status


@job_command.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="JOB...")
@settings_options
def rm(names: tuple[str, ...]) -> int:
    """Remove jobs; those that still run are stopped.

    Exit status 3 when only some are gone, 1 when none is.
    """
    return run_async(_rm(current_settings(), names))


async def _rm(settings: Settings, names: tuple[str, ...]) -> int:
    from orch.master.runtime import jobs

    async with open_pool(settings) as pool:
        running = jobs(load_fleet(settings), settings.state, pool)
        gone = [await _removed_if_any(settings, running, name) for name in names]
    if all(gone):
        return 0
    if any(gone):
        return 3
    return RefusedError.exit_status if set(gone) == {None} else 1


async def _removed_if_any(settings: Settings, running: Jobs, job: str) -> bool | None:
    """None when there is none of that name, which keeps no other from being removed."""
    try:
        return await _remove(settings, running, job)
    except RefusedError as error:
        warn(str(error))
        return None
