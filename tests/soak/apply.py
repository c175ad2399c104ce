"""Applies that are killed at random moments, and the next one that has to put everything right.

Each round kills one `apply` that changes a running stack or starts one from nothing, at a moment drawn from the whole
length of an undisturbed one; then applies again, and looks at the hosts from outside: exactly the containers that are
wanted, each once, none left over, no file of a replica that is no more.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from tests.bench.process import ORCH
from tests.bench.report import Bar, Figure, Report

REPLICAS = 18
SECONDS = 120
STACK = """
name: soak
services:
  web:
    image: localhost/busybox:latest
    command: sleep 1000
    stop_grace_period: 0s
    environment: {{ROUND: "{round}"}}
    deploy: {{replicas: {replicas}}}
"""


class Plan(msgspec.Struct, frozen=True):
    """`seed`: of the moments. `interrupts`: every so many-th blow is a Ctrl-C instead; 0 for none."""

    rounds: int = 200
    interrupts: int = 5
    seed: int = 1


class Fleet:
    """A lab that is there, with a state of its own."""

    def __init__(self, lab: str, hosts: Sequence[str], folder: Path) -> None:
        self._lab, self._hosts, self._folder = lab, hosts, folder
        self._env = {
            **os.environ,
            "ORCH_INVENTORY": f"/var/lib/orch-lab/{lab}/inventory.yml",
            "ORCH_STATE": str(folder / "state"),
        }

    def start(self, round: int) -> subprocess.Popen[bytes]:
        path = self._folder / "compose.yml"
        path.write_text(STACK.format(round=round, replicas=REPLICAS))
        argv = [ORCH, "apply", "-f", str(path)]
        return subprocess.Popen(
            argv, env=self._env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_heed_interrupts
        )

    def orch(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ORCH, *words], env=self._env, capture_output=True, text=True, check=False)

    def inside(self, host: str, script: str) -> str:
        argv = [ORCH, "lab", "exec", "--lab", self._lab, host, "--", "sh", "-c", script]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def found(self) -> list[str]:
        """What is on the hosts: `HOST NAME SPEC STATE…` of every container, and files as `HOST file ID`."""
        listing = "podman ps -a --format '{{.Names}} {{index .Labels \"orch.spec\"}} {{.State}}'; "
        listing += "for file in /var/lib/orch/*/files/*; do [ ! -e $file ] || echo file $file; done"
        return [f"{host} {line}" for host in self._hosts for line in self.inside(host, listing).splitlines()]


def measure(plan: Plan | None = None, *, lab: str = "", hosts: Sequence[str] = ("w1", "w2", "w3")) -> Report:
    """`lab`: one that is up already and has the image; otherwise one is made and taken down."""
    plan = plan or Plan()
    own = f"soak-{os.getpid()}"
    with tempfile.TemporaryDirectory() as name:
        if lab:
            return _soak(plan, Fleet(lab, hosts, Path(name)))
        try:
            subprocess.run([ORCH, "lab", "image", "busybox"], check=True)
            subprocess.run([ORCH, "lab", "up", "--lab", own, "-n", "3", "--cpus", "1", "--memory", "1g"], check=True)
            return _soak(plan, Fleet(own, hosts, Path(name)))
        finally:
            subprocess.run([ORCH, "lab", "down", "--lab", own], check=False)


def _soak(plan: Plan, fleet: Fleet) -> Report:
    chance = random.Random(plan.seed)
    whole = _undisturbed(fleet)
    wrong: list[str] = []
    early = 0
    mending, prompt = [], []
    for round in range(1, plan.rounds + 1):
        blow = signal.SIGINT if plan.interrupts and round % plan.interrupts == 0 else signal.SIGKILL
        moment = chance.uniform(0.0, whole)
        status, took = _struck(fleet, round, blow, moment)
        early += status == 0
        if blow == signal.SIGINT and status != 0:
            prompt.append(took)
            # 130 also before orch's own handler is there: that is Python's, with -2.
            if status not in (130, -signal.SIGINT):
                wrong.append(f"round {round}: Ctrl-C after {moment:.2f} s: exit status {status}")
        began = time.monotonic()
        wrong += [f"round {round}, {blow.name} after {moment:.2f} s: {what}" for what in _mended(fleet, round)]
        mending.append(time.monotonic() - began)
        click.echo(f"{round}: {blow.name} after {moment:.2f} s of {whole:.2f} s, {len(wrong)} wrong so far", err=True)
    for what in wrong[:20]:
        click.echo(f"soak: {what}", err=True)
    figures = [
        Figure("an undisturbed apply", "s", (whole,)),
        Figure("the apply after a blow", "s", tuple(mending)),
        Figure("from Ctrl-C to the end", "s", tuple(prompt or [0.0])),
        Figure("applies that were done before the blow", "", (float(early),)),
    ]
    return Report(
        "apply",
        figures,
        [
            Bar(f"of {plan.rounds} broken-off applies, not put right by the next", len(wrong), 0),
            Bar("blows that came too late", early, plan.rounds // 2),
            Bar("from Ctrl-C to the end, longest, s", max(prompt or [0.0]), 5.0),
        ],
    )


def _undisturbed(fleet: Fleet) -> float:
    began = time.monotonic()
    with fleet.start(0) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
    if process.returncode != 0:
        raise SystemExit(f"soak: the first apply failed: {said}")
    return time.monotonic() - began


def _struck(fleet: Fleet, round: int, blow: signal.Signals, moment: float) -> tuple[int, float]:
    """The exit status, and seconds from the blow to the end."""
    if round % 3 == 0:
        fleet.orch("rm", "--yes", "soak")  # Some begin from nothing.
    with fleet.start(round) as process:
        assert process.stderr is not None
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(blow)
        struck = time.monotonic()
        process.stderr.read()
        process.wait(SECONDS)
        return process.returncode, time.monotonic() - struck


def _mended(fleet: Fleet, round: int) -> list[str]:
    """What is wrong after the next apply; nothing, it is hoped."""
    with fleet.start(round) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
    wrong = []
    if process.returncode != 0:
        wrong.append(f"the next apply ended with {process.returncode}: {said}")
    found = [line.split() for line in fleet.found()]
    containers = [line for line in found if line[1] != "file"]
    names = sorted(line[1] for line in containers)
    if names != sorted(f"soak.web.{number}" for number in range(1, REPLICAS + 1)):
        wrong.append(f"on the hosts are {names}")
    if others := [line for line in containers if line[3] != "Up"]:
        wrong.append(f"do not run: {others}")
    if len({line[2] for line in containers}) > 1:
        wrong.append("containers of several specs")
    if files := [line for line in found if line[1] == "file"]:
        wrong.append(f"files are left: {files}")
    with fleet.start(round) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
    if not said.endswith("nothing to change\n"):
        wrong.append(f"a second apply still has something to do: {said}")
    return wrong


def _heed_interrupts() -> None:
    """A job in the background is born deaf to Ctrl-C, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
