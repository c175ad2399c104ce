"""The store, killed, cut off from power and damaged, thousands of times."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import msgspec

from tests.bench.report import Bar, Figure, Report
from tests.crash.kills import Kills, kill_writers
from tests.crash.power import MUTATIONS, cut_power, workplace
from tests.crash.rot import Rotten
from tests.crash.work import Model


class Plan(msgspec.Struct, frozen=True):
    """`kills` are made half on a disk and half in memory; `images` are of power cuts, as many at most for each
    mutation."""

    kills: int = 2_000
    images: int = 40_000
    seed: int = 20_261_124


def measure(plan: Plan | None = None) -> Report:
    plan = plan or Plan()
    model = Model()
    figures, bars = [], []
    for part in (_kills(plan, model), _power(plan, model), _mutations(plan, model), _rot()):
        figures += part[0]
        bars += part[1]
    return Report("store", figures, bars)


_Part = tuple[list[Figure], list[Bar]]


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _kills(plan: Plan, model: Model) -> _Part:
    tallies: list[Kills] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as disk, workplace() as memory:
        for folder in (Path(disk), memory):
            tallies.append(kill_writers(folder / "state", model, plan.kills // 2, plan.seed))
            _tell(f"{tallies[-1]}")
    wrong = [tally.wrong for tally in tallies if tally.wrong]
    names = ("kills", "acknowledged", "compactions", "in_compaction", "reads")
    texts = ("writers killed", "commits acknowledged", "compactions", "killed in a compaction", "reads beside a writer")
    return [
        Figure(text, "", (float(sum(getattr(tally, name) for tally in tallies)),))
        for name, text in zip(names, texts, strict=True)
    ], [
        Bar(f"of {plan.kills} kills, not made", plan.kills - sum(tally.kills for tally in tallies), 0),
        Bar("stores that were not right after a kill, or read wrong beside their writer", len(wrong), 0),
    ]


def _power(plan: Plan, model: Model) -> _Part:
    tally = cut_power(model, plan.images, plan.seed)
    _tell(f"power cuts: {tally}")
    return [Figure("images of power cuts", "", (tally.images,))], [
        Bar(f"of {plan.images} images, not looked at", plan.images - tally.images, 0),
        Bar("images that lost a commit, showed half of one, or were refused", float(bool(tally.wrong)), 0),
    ]


def _mutations(plan: Plan, model: Model) -> _Part:
    figures, survivors = [], 0
    for name, mutation in MUTATIONS.items():
        tally = cut_power(model, plan.images, plan.seed, mutation)
        _tell(f"{name}: {tally.wrong or 'NOT CAUGHT'}")
        survivors += not tally.wrong
        figures.append(Figure(f"caught: {name}", "images", (tally.images,)))
    return figures, [Bar(f"of {len(MUTATIONS)} mutations, not caught", survivors, 0)]


def _rot() -> _Part:
    with workplace() as place:
        rotten = Rotten(place / "state")
        found = (rotten.change_all(), rotten.change_without_witness())
    wrong = [text for rot in found for text in rot.wrong]
    _tell("\n".join(wrong[:10]) or "rot: nothing wrong")
    return [
        Figure("stores with a byte or a length changed", "", (float(sum(rot.looked_at for rot in found)),)),
        Figure("of them refused; the others were right", "", (float(sum(rot.refused for rot in found)),)),
    ], [Bar("stores with a change that were neither right nor refused", len(wrong), 0)]
