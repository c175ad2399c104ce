"""`orch run`."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence

import click
import msgspec

from orch.cli.fleet import load_fleet, run_async
from orch.cli.output import print_json
from orch.cli.settings import Settings, current_settings, settings_options
from orch.errors import HostError, UsageError
from orch.inventory.hosts import Host

COMMAND_SECONDS = 3600.0


class HostResult(msgspec.Struct, frozen=True):
    """`rc` is None when the host could not be reached or the command had no end; `error` then says why."""

    host: str
    rc: int | None
    stdout: str
    stderr: str
    seconds: float
    error: str | None


@click.command("run")
@click.option("-b", "--become", is_flag=True, help="Run as root, through sudo.")
@click.option("-f", "--forks", type=click.IntRange(1), default=50, show_default=True, help="Hosts at once.")
@click.argument("pattern")
@click.argument("command", nargs=-1, required=True)
@settings_options
def run_command(pattern: str, command: tuple[str, ...], become: bool, forks: int) -> int:
    """Run COMMAND on every host that PATTERN matches; put -- before it.

    PATTERN: names, groups, `all` and wildcards, joined by commas; `!x` leaves x out, `&x` keeps only x.
    A COMMAND of one word is shell text ('uptime; df -h'); of several it is run as given, word by word.

    Exit status: 0 when all hosts succeeded, 1 when all failed, 3 when some did.
    """
    settings = current_settings()
    if settings.output not in {"table", "json"}:
        raise UsageError("run prints text or -o json")
    hosts = load_fleet(settings).select(pattern)
    if become:
        hosts = [_becoming(host) for host in hosts]
    script = command[0] if len(command) == 1 else shlex.join(command)
    results = run_async(_run_everywhere(settings, hosts, script, forks))
    if settings.output == "json":
        print_json(results)
    return _conclude(settings, results)


def _becoming(host: Host) -> Host:
    login = msgspec.structs.replace(host.login, become_user=host.login.become_user or "root")
    return msgspec.structs.replace(host, login=login)


async def _run_everywhere(settings: Settings, hosts: Sequence[Host], script: str, forks: int) -> list[HostResult]:
    """Results in the hosts' order; each is printed as soon as it and all before it are there."""
    from orch.remote.pool import Pool

    at_once = asyncio.Semaphore(forks)
    async with Pool(connect_timeout=settings.timeout) as pool:

        async def one(host: Host) -> HostResult:
            async with at_once:
                try:
                    result = await pool.link(host).run_script(script, timeout=COMMAND_SECONDS)
                except HostError as error:
                    return HostResult(host.name, None, "", "", 0.0, error.reason)
                stderr = result.stderr.decode(errors="replace")
                return HostResult(host.name, result.status, result.text, stderr, round(result.seconds, 3), None)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(host)) for host in hosts]
            width = max(len(host.name) for host in hosts)
            for task in tasks:
                result = await task
                if settings.output == "table":
                    _print(result, width)
        return [task.result() for task in tasks]


def _print(result: HostResult, width: int) -> None:
    for text, to_stderr in ((result.stdout, False), (result.stderr, True)):
        for line in text.splitlines():
            click.echo(f"{result.host:<{width}} | {line}", err=to_stderr)
    if result.error is not None:
        click.echo(f"orch: {result.host}: {result.error}", err=True)


def _conclude(settings: Settings, results: Sequence[HostResult]) -> int:
    succeeded = [r for r in results if r.rc == 0]
    failed = [r for r in results if r.rc]
    lost = [r for r in results if r.rc is None]
    if not settings.quiet and settings.output == "table":
        parts = [f"{len(succeeded)} ok"]
        if failed:
            parts.append(f"{len(failed)} failed ({', '.join(f'{r.host}: {r.rc}' for r in failed[:10])})")
        if lost:
            parts.append(f"{len(lost)} not reached ({', '.join(r.host for r in lost[:10])})")
        click.echo(", ".join(parts), err=True)
    if len(succeeded) == len(results):
        return 0
    return 3 if succeeded else 1
