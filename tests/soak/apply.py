"""Applies that are killed at random moments, and the next one that has to put everything right.

Each round kills one `apply` that changes a running stack or starts one from nothing, at a moment drawn from the whole
length of an undisturbed one; then applies again, and looks at the hosts from outside: exactly the containers that are
wanted, each once, none left over, their configs and secrets and no others, one volume, and the new page behind the
host's port. An apply that said it was done before the blow must be done without another.
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
from tests.soak.soaked import Fleet

SECONDS = 120


class Plan(msgspec.Struct, frozen=True):
    """`seed`: of the moments. `interrupts`: every so many-th blow is a Ctrl-C instead; 0 for none."""

    rounds: int = 200
    interrupts: int = 5
    seed: int = 1


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
        # To replace takes longer than to start. Some are done in time, and what they said must hold.
        moment = chance.uniform(0.0, 1.5 * whole)
        status, took = _struck(fleet, round, blow, moment)
        if status == 0:
            early += 1
            wrong += [f"round {round}, acknowledged: {what}" for what in _settled(fleet, round)]
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
    status, said = fleet.run(0)
    if status != 0:
        raise SystemExit(f"soak: the first apply failed: {said}")
    return time.monotonic() - began


def _struck(fleet: Fleet, round: int, blow: signal.Signals, moment: float) -> tuple[int, float]:
    """The exit status, and seconds from the blow to the end."""
    if round % 3 == 0:
        fleet.remove()  # Some begin from nothing.
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
    status, said = fleet.run(round)
    wrong = [] if status == 0 else [f"the next apply ended with {status}: {said}"]
    return wrong + _settled(fleet, round)


def _settled(fleet: Fleet, round: int) -> list[str]:
    """What is still to do for an apply that said it was done."""
    status, said = fleet.run(round, "plan")
    return fleet.amiss(round) + ([] if status == 0 else [f"there is still something to do, {status}: {said}"])
