"""What it costs to start orch when there is nothing to do."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.process import ORCH, cost
from tests.bench.report import Bar, Figure, Report

CPU_LIMIT_MS = 150
HEAVY = ("textual", "asyncssh", "aiohttp")
COMMANDS = (("version",), ("--help",))


def measure(rounds: int = 20) -> Report:
    figures, bars = [], []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        for words in COMMANDS:
            name = f"orch {' '.join(words)}"
            cost([ORCH, *words], log=log)
            costs = [cost([ORCH, *words], log=log) for _ in range(rounds)]
            figures.append(Figure(f"{name}, CPU", "ms", tuple(c.cpu * 1000 for c in costs)))
            figures.append(Figure(f"{name}, wall", "ms", tuple(c.wall * 1000 for c in costs)))
            bars.append(Bar(f"{name}, CPU ms", figures[-2].median, CPU_LIMIT_MS))
            bars.append(Bar(f"{name}, of {', '.join(HEAVY)} imported", len(heavy_imports(words)), 0))
    return Report("start-up", figures, bars)


def heavy_imports(words: tuple[str, ...]) -> list[str]:
    """Those of HEAVY that the command imports."""
    program = (
        "import sys; from orch.cli.main import run_cli; run_cli(sys.argv[1:]);"
        f"print('\\n' + ' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()
