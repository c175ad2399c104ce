"""`orch job`."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orch.cli.fleet import load_fleet, open_pool, run_async, warn_of_nodes
from orch.cli.follow import TIMED_OUT, follow, has_input, print_logs, remove_job
from orch.cli.group import Group
from orch.cli.output import Column, Row, age, emit, note, warn
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.jobs import PREFIX, job_stack, jobs_of, read_environment
from orch.controllers.status import ReplicaStatus, replica_statuses
from orch.errors import HostError, InputError, RefusedError, UsageError
from orch.model.node import Unreachable
from orch.model.quantities import parse_cpus, parse_memory
from orch.model.resources import Resources
from orch.model.spec import StackSpec
from orch.podman.images import check_image_name

if TYPE_CHECKING:
    from orch.master.jobs import Jobs

_COLUMNS = (
    Column("NAME", "name"),
    Column("NODE", "node"),
    Column("STATE", "state", style={"running": "green", "missing": "red", "unknown": "yellow"}),
    Column("EXIT", "exit_code"),
    Column("AGE", "age"),
    Column("IMAGE", "image"),
    Column("WHY", "reason"),
)


@click.group("job", cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
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

    Its output is printed as it comes, and its exit status is orch's; it gets no input. Ctrl-C stops it and removes it.
    When orch itself is killed, the job runs on: `orch job ls` shows it, `orch job logs` and `orch job rm` deal with it.

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
    if sys.stdin is not None and has_input(0):
        warn("jobs get no input: what stands on the standard input is not passed on")
    async with open_pool(settings) as pool:
        running = jobs(fleet, settings.state, pool)
        replica = await running.start(stack)
        note(settings, f"job {job} runs on {replica.node}")
        if detach:
            click.echo(job)
            return 0
        try:
            status = await follow(running, replica, job, max_time)
        except HostError as error:
            hint = f"the job may run on: orch job logs -f {job} follows it, orch job rm {job} stops it"
            raise type(error)(error.host, f"{error.reason}; {hint}") from error
        except BaseException:
            # Interrupted, or nobody reads its output any more.
            note(settings, f"stopping job {job}")
            await remove_job(settings, running, job)
            raise
        if status == TIMED_OUT or not keep:
            await remove_job(settings, running, job)
        return status


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
@click.option("-f", "--follow", "to_end", is_flag=True, help="Go on until the job ends, and return its exit status.")
@click.argument("job")
@settings_options
def logs(to_end: bool, job: str) -> int:
    """What a job has said."""
    return run_async(_logs(current_settings(), job, to_end=to_end))


async def _logs(settings: Settings, job: str, *, to_end: bool) -> int:
    from orch.master.runtime import jobs

    async with open_pool(settings) as pool:
        running = jobs(load_fleet(settings), settings.state, pool)
        replica = running.replica(job)
        return await (follow(running, replica, job, None) if to_end else print_logs(running, replica, job))


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
        return await remove_job(settings, running, job)
    except RefusedError as error:
        warn(str(error))
        return None
