"""`orch run`."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from orch.cli.fleet import load_fleet, open_pool, run_async
from orch.cli.output import print_json
from orch.cli.printers import Collected, HostResult, Live, Ordered, Output, Printer
from orch.cli.printing import Printing
from orch.cli.settings import Settings, current_settings, settings_options
from orch.cli.spread import SharedInput
from orch.errors import HostError, InputError, UsageError
from orch.inventory.hosts import Host

if TYPE_CHECKING:
    from orch.remote.pool import Pool
    from orch.remote.stream import Sink

_NO_LIMIT = 10 * 365 * 86_400.0


class Work(msgspec.Struct, frozen=True):
    """What is to be done on each host: shell text, or a file's `content` with words for it in `script`."""

    script: str
    content: bytes | None = None
    forks: int = 50
    limit: float = _NO_LIMIT
    silence: float | None = None


@click.command("run")
@click.option("-b", "--become", is_flag=True, help="Run as root, through sudo.")
@click.option("-f", "--forks", type=click.IntRange(1), default=50, show_default=True, help="Commands at once.")
@click.option(
    "--script",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Copy this file to the hosts and run it there; the words after -- are its arguments.",
)
@click.option("--stdin", is_flag=True, help="Give every host all of the standard input.")
@click.option(
    "--max-time", type=click.FloatRange(min=0.1), metavar="SECONDS", help="End commands that take longer, on the host."
)
@click.option(
    "--max-silence",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="End commands that print nothing for so long, on the host.",
)
@click.option(
    "--ordered/--live",
    default=None,
    help="Print host after host in the inventory's order, or lines as they come. Default: live on a terminal.",
)
@click.argument("pattern")
@click.argument("command", nargs=-1)
@settings_options
def run_command(
    pattern: str,
    command: tuple[str, ...],
    become: bool,
    forks: int,
    script: Path | None,
    stdin: bool,
    max_time: float | None,
    max_silence: float | None,
    ordered: bool | None,
) -> int:
    """Run COMMAND on every host that PATTERN matches; put -- before it.

    PATTERN: names, groups, `all` and wildcards, joined by commas; `!x` leaves x out, `&x` keeps only x.
    A COMMAND of one word is shell text ('uptime; df -h'); of several it is run as given, word by word.
    Ctrl-C ends the commands on the hosts too.

    Exit status: 0 when all hosts succeeded, 1 when all failed, 3 when some did.
    """
    settings = current_settings()
    if settings.output not in {"table", "json"}:
        raise UsageError("run prints text or -o json")
    work = Work(
        script=_words(command) if script is None else shlex.join(command),
        content=None if script is None else _content(script),
        forks=forks,
        limit=max_time or _NO_LIMIT,
        silence=max_silence,
    )
    if stdin and sys.stdin is None:
        raise UsageError("--stdin, and the standard input is closed")
    hosts = load_fleet(settings).select(pattern)
    if become:
        hosts = [_becoming(host) for host in hosts]
    printer = _printer(settings, hosts, ordered)
    results = run_async(_run_everywhere(settings, hosts, work, printer, shared=stdin))
    if settings.output == "json":
        print_json(results)
    return _conclude(settings, results)


def _words(command: tuple[str, ...]) -> str:
    if not command:
        raise UsageError("run needs a command after --, or --script FILE")
    return command[0] if len(command) == 1 else shlex.join(command)


def _content(script: Path) -> bytes:
    try:
        return script.read_bytes()
    except OSError as error:
        raise InputError(script, None, f"cannot be read: {error.strerror}") from error


def _becoming(host: Host) -> Host:
    login = msgspec.structs.replace(host.login, become_user=host.login.become_user or "root")
    return msgspec.structs.replace(host, login=login)


def _printer(settings: Settings, hosts: Sequence[Host], ordered: bool | None) -> Printer:
    names = [host.name for host in hosts]
    if settings.output == "json":
        return Collected(names)
    if ordered is None:
        ordered = not Output(sys.stdout).on_terminal
    return Ordered(names) if ordered else Live(names)


async def _run_everywhere(
    settings: Settings, hosts: Sequence[Host], work: Work, printer: Printer, *, shared: bool
) -> list[HostResult]:
    """Results in the hosts' order. Cancelled, it ends the commands on the hosts before it returns."""
    at_once = asyncio.Semaphore(work.forks)
    source: AbstractAsyncContextManager[SharedInput | None] = (
        SharedInput(sys.stdin.fileno()) if shared else nullcontext()
    )
    async with open_pool(settings) as pool, source as given, Printing(printer) as printing:

        async def one(host: Host) -> HostResult:
            chunks = given.chunks() if given is not None else None
            rc, seconds, error = await _run_on(pool, host, work, at_once, chunks, printing.sink(host.name))
            if unprinted := await printing.settle(host.name):
                rc, error = None, error or unprinted
            result = HostResult(host.name, rc, *printer.collected(host.name), seconds, error)
            await printing.finish(result)
            return result

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(host)) for host in hosts]
        return [task.result() for task in tasks]


async def _run_on(
    pool: Pool,
    host: Host,
    work: Work,
    at_once: asyncio.Semaphore,
    stdin: AsyncIterator[bytes] | None,
    sink: Sink,
) -> tuple[int | None, float, str | None]:
    """The exit status, the seconds it took, and why there is no status."""
    from orch.remote.files import running_file

    loop = asyncio.get_running_loop()
    link, began = pool.link(host), loop.time()
    rc: int | None = None
    error = None
    try:
        # A host that cannot be reached takes the place of no other.
        await link.open()
        async with at_once:
            began = loop.time()
            script = work.script
            if work.content is not None:
                script = await running_file(link, work.content, work.script)
            rc = await link.stream(script, sink, stdin=stdin, timeout=work.limit, silence=work.silence)
    except HostError as failure:
        error = failure.reason
    return rc, round(loop.time() - began, 3), error


def _conclude(settings: Settings, results: Sequence[HostResult]) -> int:
    succeeded = [r for r in results if r.rc == 0]
    if not settings.quiet and settings.output == "table":
        outcomes = [
            _outcome("ok", succeeded, None),
            _outcome("failed", [r for r in results if r.rc], lambda r: f"{r.host}: {r.rc}"),
            _outcome("without result", [r for r in results if r.rc is None], lambda r: r.host),
        ]
        click.echo(", ".join(filter(None, outcomes)) or "0 ok", err=True)
    if len(succeeded) == len(results):
        return 0
    return 3 if succeeded else 1


def _outcome(what: str, results: Sequence[HostResult], show: Callable[[HostResult], str] | None) -> str:
    """`2 failed (w1: 1, w2: 127)`; nothing for none."""
    if not results:
        return ""
    named = f" ({', '.join(show(r) for r in results)})" if show else ""
    return f"{len(results)} {what}{named}"
