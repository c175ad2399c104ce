"""40 replicas onto one host: `orch apply --no-wait`, a whole process over SSH, against xargs and podman on that host.

xargs does not look whether what it started keeps running, so neither does orch here; a figure has it with that.

The peer makes the same containers: same names, host names, labels and options, from the words that orch itself
uses, without what orch adds for its own safety (`timeout`). What the least possible `podman run` takes is a figure too.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from orch.lab import fleet
from orch.located import parse_located
from orch.model.replica import Replica, Slot
from orch.podman.commands import run
from orch.stackfile.compose import build_stack
from tests.bench.process import ORCH, Cost, cost
from tests.bench.report import Bar, Figure, Report

REPLICAS = 40
LIMIT = 1.15
IMAGE = "localhost/busybox:latest"

STACK = f"""
name: bench
services:
  web:
    image: {IMAGE}
    command: sleep 1000
    deploy: {{replicas: {REPLICAS}}}
"""
PLAIN = f"seq {REPLICAS} | xargs -P 4 -I N podman run --detach --name web.N {IMAGE} sleep 1000"


def measure(rounds: int = 5) -> Report:
    """All in turn, each on a host without containers; each must end with 40 that run."""
    lab = f"bench-{os.getpid()}"
    ours: list[Cost] = []
    theirs: list[Cost] = []
    plain: list[Cost] = []
    settled: list[Cost] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            _prepare(lab, folder)
            for index in range(-1, rounds):
                costs = (
                    _orch(lab, folder, "--no-wait"),
                    _peer(lab, folder, peer_command(lab)),
                    _peer(lab, folder, PLAIN),
                    _orch(lab, folder),
                )
                if index >= 0:  # The first round warms the host's caches.
                    for kept, cost_ in zip((ours, theirs, plain, settled), costs, strict=True):
                        kept.append(cost_)
        finally:
            cost([ORCH, "lab", "down", "--lab", lab], log=folder / "log")
    figures = [
        Figure("orch apply --no-wait, wall", "s", tuple(c.wall for c in ours)),
        Figure("xargs -P4 podman run, wall", "s", tuple(c.wall for c in theirs)),
        Figure("xargs -P4 podman run, bare containers, wall", "s", tuple(c.wall for c in plain)),
        Figure("orch / xargs", "", tuple(a.wall / b.wall for a, b in zip(ours, theirs, strict=True))),
        Figure(
            "orch / xargs with bare containers", "", tuple(a.wall / b.wall for a, b in zip(ours, plain, strict=True))
        ),
        Figure("orch apply --no-wait, CPU of the master", "s", tuple(c.cpu for c in ours)),
        Figure("orch apply, which waits a second to see them run, wall", "s", tuple(c.wall for c in settled)),
    ]
    return Report("deploy", figures, [Bar(f"{REPLICAS} replicas, wall against xargs", figures[3].median, LIMIT)])


def peer_command(lab: str) -> str:
    """Shell text that makes the containers of STACK; N stands for the number of the replica."""
    document = parse_located(STACK, "compose.yml")
    spec = build_stack(document, name=None, fallback="bench", variables={}).spec.services[0]
    words = run(f"lab-{lab}", Replica("N" * 12, Slot("bench", "web", 0), 1, "w1", spec.hash), spec).argv
    bare = words[words.index("podman") :]
    numbered = {"bench.web.0": "bench.web.N", "web-0": "web-N", "orch.slot=0": "orch.slot=N"}
    told = [numbered.get(word, word.replace("N" * 12, "aaaaaaaaaaaa")) for word in bare]
    return f"seq {REPLICAS} | xargs -P 4 -I N {shlex.join(told)}"


def _prepare(lab: str, folder: Path) -> None:
    (folder / "compose.yml").write_text(STACK)
    cost([ORCH, "lab", "image", "busybox"], log=folder / "log")
    cost([ORCH, "lab", "up", "--lab", lab, "-n", "1"], log=folder / "log")


def _orch(lab: str, folder: Path, *words: str) -> Cost:
    env = {"ORCH_INVENTORY": f"/var/lib/orch-lab/{lab}/inventory.yml", "ORCH_STATE": str(folder / "state")}
    measured = cost([ORCH, "apply", "-f", str(folder / "compose.yml"), *words], env=env, log=folder / "log")
    _check_and_clear(lab)
    shutil.rmtree(folder / "state")
    return measured


def _peer(lab: str, folder: Path, script: str) -> Cost:
    # nsenter itself, so that no start of Python counts against the peer.
    argv = fleet.inside(lab, "w1", ("sh", "-c", script))
    measured = cost(argv, before_exec=lambda: fleet.join_host(lab, "w1"), log=folder / "log")
    _check_and_clear(lab)
    return measured


def _check_and_clear(lab: str) -> None:
    running = _inside(lab, "podman ps --quiet --filter status=running").split()
    if len(running) != REPLICAS:
        raise SystemExit(f"bench: {len(running)} of {REPLICAS} containers run")
    _inside(lab, "podman rm --all --force --time 0")


def _inside(lab: str, script: str) -> str:
    argv = [ORCH, "lab", "exec", "--lab", lab, "w1", "--", "sh", "-c", script]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
