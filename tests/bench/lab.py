"""How soon the hosts of a lab can be used."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.bench.process import ORCH, cost
from tests.bench.report import Bar, Figure, Report

HOSTS = 4
LIMIT_SECONDS = 10


def measure(rounds: int = 5) -> Report:
    """`orch lab up` returns when every host has let it in over SSH and its systemd is up."""
    lab = f"bench-{os.getpid()}"
    up, down = [], []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        try:
            for _ in range(rounds):
                up.append(cost([ORCH, "lab", "up", "--lab", lab, "-n", str(HOSTS)], log=log).wall)
                down.append(cost([ORCH, "lab", "down", "--lab", lab], log=log).wall)
        finally:
            cost([ORCH, "lab", "down", "--lab", lab], log=log)
    figures = [Figure(f"up, {HOSTS} hosts", "s", tuple(up)), Figure(f"down, {HOSTS} hosts", "s", tuple(down))]
    return Report("lab", figures, [Bar(f"{HOSTS} hosts answer over SSH, s", figures[0].median, LIMIT_SECONDS)])
