"""What it costs a node to be watched: the loop of figures in several shells, and the full probe."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from orch.lab import fleet
from orch.observe.probe import probe_script
from orch.observe.watch import parse_frame, watch_script
from tests.bench.process import ORCH, Cost, cost
from tests.bench.report import Bar, Figure, Report

INTERVAL = 2.0
FRAMES = 10
LIMIT_PERCENT = 1.0
CONTAINERS = 20
SHELLS = (("dash",), ("busybox", "sh"), ("bash",))

STACK = f"""
name: bench
services:
  web:
    image: localhost/busybox:latest
    command: sleep 1000
    deploy: {{replicas: {CONTAINERS}}}
"""


def measure(rounds: int = 3) -> Report:
    """The loop runs as long as it takes for FRAMES frames, its start and its end included; it must end by itself when
    nobody reads it any more."""
    lab = f"bench-{os.getpid()}"
    shells = [words for words in SHELLS if shutil.which(words[0])]
    loops: dict[str, list[float]] = {" ".join(words): [] for words in shells}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            cost([ORCH, "lab", "image", "busybox"], log=folder / "log")
            cost([ORCH, "lab", "up", "--lab", lab, "-n", "1"], log=folder / "log")
            for _ in range(rounds):
                for words in shells:
                    loops[" ".join(words)].append(_loop(lab, words))
            empty = [_probe(lab, folder) for _ in range(2 * rounds)]
            _apply(lab, folder)
            full = [_probe(lab, folder) for _ in range(2 * rounds)]
            nothing = [_cost_inside(lab, folder, ":") for _ in range(2 * rounds)]
        finally:
            cost([ORCH, "lab", "down", "--lab", lab], log=folder / "log")
    figures = [
        Figure(f"loop, a frame every {INTERVAL:g} s, {shell}", "% core", tuple(values))
        for shell, values in loops.items()
    ]
    bars = [Bar(f"{figure.name}, % of a core", figure.median, LIMIT_PERCENT) for figure in figures]
    figures += [
        Figure("full probe, no containers, CPU", "ms", tuple(c.cpu * 1000 for c in empty)),
        Figure(f"full probe, {CONTAINERS} containers, CPU", "ms", tuple(c.cpu * 1000 for c in full)),
        Figure("of each probe, entering the host, CPU", "ms", tuple(c.cpu * 1000 for c in nothing)),
    ]
    return Report("probe", figures, bars)


def _loop(lab: str, shell: Sequence[str]) -> float:
    """Per cent of a core, `sleep` included."""
    argv = fleet.inside(lab, "w1", (*shell, "-c", watch_script(INTERVAL)))
    began = time.perf_counter()
    running = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: fleet.join_host(lab, "w1"),
    )
    assert running.stdout is not None
    for _ in range(FRAMES):
        parse_frame(running.stdout.readline(), 0.0)
    running.stdout.close()
    _, status, usage = os.wait4(running.pid, 0)
    wall = time.perf_counter() - began
    running.returncode = os.waitstatus_to_exitcode(status)
    if wall > (FRAMES + 2) * INTERVAL:
        raise SystemExit(f"bench: the loop outlived its connection: {wall:.1f} s")
    return (usage.ru_utime + usage.ru_stime) / wall * 100


def _probe(lab: str, folder: Path) -> Cost:
    return _cost_inside(lab, folder, probe_script(f"lab-{lab}"))


def _cost_inside(lab: str, folder: Path, script: str) -> Cost:
    argv = fleet.inside(lab, "w1", ("sh", "-c", script))
    return cost(argv, before_exec=lambda: fleet.join_host(lab, "w1"), log=folder / "log")


def _apply(lab: str, folder: Path) -> None:
    (folder / "compose.yml").write_text(STACK)
    env = {"ORCH_INVENTORY": f"/var/lib/orch-lab/{lab}/inventory.yml", "ORCH_STATE": str(folder / "state")}
    cost([ORCH, "apply", "-f", str(folder / "compose.yml")], env=env, log=folder / "log")
