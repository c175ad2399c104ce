"""One image of 200 MB to four lab hosts: `orch image push` against four `podman save | ssh podman load` side by side.

Both are whole processes that start cold, take the same image from the same podman on this machine and bring it to hosts
that do not have it; in turn, the image removed in between.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
from pathlib import Path

import psutil

from orch.lab.layout import USER, LabPaths
from tests.bench.process import ORCH, Cost, cost
from tests.bench.report import Bar, Figure, Report
from tests.lab.masters import Podman

HOSTS = 4
SIZE = 200_000_000
LIMIT = 1.2
MEMORY_MB = 100.0
WRITTEN_MB = 20.0
IMAGE = "localhost/bench-push:1"


def measure(rounds: int = 5) -> Report:
    lab = f"bench-{os.getpid()}"
    ours: list[Cost] = []
    theirs: list[Cost] = []
    watched: list[Watched] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        podman = Podman(folder)
        env = podman.env | {"ORCH_INVENTORY": str(LabPaths(lab).inventory), "ORCH_STATE": str(folder / "state")}
        try:
            cost([ORCH, "lab", "image", "busybox"], log=folder / "log")
            cost([ORCH, "lab", "up", "--lab", lab, "-n", str(HOSTS)], log=folder / "log")
            podman.make(IMAGE, SIZE)
            for index in range(-1, rounds):
                with Watched() as seen:
                    mine = cost([ORCH, "image", "push", IMAGE], env=env, log=folder / "log")
                _check_and_clear(env, lab)
                peer = cost(["sh", "-c", peer_command(lab)], env=env, log=folder / "log")
                _check_and_clear(env, lab)
                if index >= 0:  # The first round warms the caches.
                    ours.append(mine)
                    theirs.append(peer)
                    watched.append(seen)
        finally:
            cost([ORCH, "lab", "down", "--lab", lab], log=folder / "log")
            subprocess.run(["umount", "--quiet", folder / "store/overlay"], check=False)
    ratio = Figure("push / ssh, wall", "", tuple(a.wall / b.wall for a, b in zip(ours, theirs, strict=True)))
    memory = Figure("orch image push, peak memory", "MB", tuple(seen.peak / 1e6 for seen in watched))
    written = Figure("written to this machine's disk by orch", "MB", tuple(seen.written / 1e6 for seen in watched))
    figures = [
        Figure("orch image push, wall", "s", tuple(c.wall for c in ours)),
        Figure(f"{HOSTS} × podman save | ssh podman load, wall", "s", tuple(c.wall for c in theirs)),
        ratio,
        Figure("orch image push, CPU of the master", "s", tuple(c.cpu for c in ours)),
        Figure(f"{HOSTS} × podman save | ssh, CPU of the master", "s", tuple(c.cpu for c in theirs)),
        memory,
        written,
    ]
    return Report(
        "push",
        figures,
        [
            Bar(f"200 MB to {HOSTS} hosts, wall against ssh", ratio.median, LIMIT),
            Bar("peak memory of orch, MB", memory.median, MEMORY_MB),
            Bar("written to the master's disk, MB", max(written.values), WRITTEN_MB),
        ],
    )


def peer_command(lab: str) -> str:
    paths = LabPaths(lab)
    ssh = (
        "nsenter", f"--net=/run/netns/{paths.switch}",
        "ssh", "-F", "/dev/null", "-i", str(paths.key), "-o", f"UserKnownHostsFile={paths.known_hosts}",
        "-o", "BatchMode=yes",
    )  # fmt: skip
    lines = [
        f"podman save {IMAGE} | {shlex.join(ssh)} {USER}@198.18.0.{number} sudo podman load --quiet & p{number}=$!"
        for number in range(1, HOSTS + 1)
    ]
    return "\n".join([*lines, *(f"wait $p{number} || exit 1" for number in range(1, HOSTS + 1))])


class Watched:
    """What the youngest child of this process, with all of its own, takes while it runs."""

    def __init__(self) -> None:
        self.peak = 0
        self._written: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @property
    def written(self) -> int:
        """Bytes that went towards a disk; those to memory's own file systems are none."""
        return sum(self._written.values())

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for child in psutil.Process().children():
                try:
                    self.peak = max(self.peak, child.memory_info().rss)
                    for member in (child, *child.children(recursive=True)):
                        self._written[member.pid] = member.io_counters().write_bytes
                except psutil.NoSuchProcess:
                    continue


def _check_and_clear(env: dict[str, str], lab: str) -> None:
    names = [f"w{number}" for number in range(1, HOSTS + 1)]
    script = f"podman image inspect --format '{{{{.Id}}}}' {IMAGE} && podman rmi {IMAGE} >/dev/null"
    argv = [ORCH, "run", ",".join(names), "-b", "--", script]
    found = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True)
    if found.returncode != 0 or len({line.split("|")[1] for line in found.stdout.splitlines()}) != 1:
        raise SystemExit(f"bench: not every host of {lab} had the image:\n{found.stdout}{found.stderr}")
