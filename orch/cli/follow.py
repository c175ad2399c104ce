"""Following one job: what it says, how it ends, and its removal."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import stat
import sys
import termios
from typing import TYPE_CHECKING

from orch.cli.output import note, warn
from orch.cli.printers import HostResult, Lines, Output, Sink
from orch.cli.settings import Settings
from orch.errors import StateError

if TYPE_CHECKING:
    from orch.master.jobs import Jobs
    from orch.model.replica import Replica

TIMED_OUT = 124
"""As with timeout(1)."""


async def follow(running: Jobs, replica: Replica, job: str, max_time: float | None) -> int:
    """Print what it says; its exit status."""
    from orch.cli.printing import Printing

    def lost(reason: str) -> None:
        warn(f"{replica.node}: {reason}; job {job} runs on there, and its output comes as soon as there is a way to it")

    async with Printing(_Plain()) as printing:
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


async def remove_job(settings: Settings, running: Jobs, job: str) -> bool:
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


async def print_logs(running: Jobs, replica: Replica, job: str) -> int:
    """Print what it has said so far; the exit status."""
    from orch.cli.printing import Printing

    async with Printing(_Plain()) as printing:
        status = await running.logs(replica, printing.sink(job))
        await printing.settle(job)
    return status


def has_input(descriptor: int) -> bool:
    """Whether somebody has something to say there: a file that is not at its end, a pipe or a socket with data.

    Nothing is read, and nobody is waited for.
    """
    try:
        mode = os.fstat(descriptor)
        if stat.S_ISREG(mode.st_mode):
            return mode.st_size > os.lseek(descriptor, 0, os.SEEK_CUR)
        if not (stat.S_ISFIFO(mode.st_mode) or stat.S_ISSOCK(mode.st_mode)):
            return False
        waiting = array.array("i", [0])
        fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
        return waiting[0] > 0
    except OSError:  # Closed, most likely.
        return False


class _Plain:
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
