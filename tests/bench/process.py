"""Measuring whole processes from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

ORCH = str(Path(sys.executable).with_name("orch"))


class Cost(msgspec.Struct, frozen=True):
    """Seconds: by the clock, and of the CPU, the process and the children it waited for."""

    wall: float
    cpu: float


def cost(
    argv: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    before_exec: Callable[[], None] | None = None,
    log: Path,
    must_succeed: bool = True,
) -> Cost:
    """Run a command to its end; what it prints goes to `log`, shown when it fails and must not."""
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            argv,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=before_exec,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if must_succeed and process.returncode != 0:
        raise SystemExit(f"bench: {' '.join(argv)} ended with {process.returncode}:\n{log.read_text()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)
