"""The soaks in their short forms; `./scripts/soak` has the long ones."""

from __future__ import annotations

import pytest

from tests.lab.hosts import Operator
from tests.soak import apply
from tests.soak.connections import Plan, measure


def test_held_connections_cost_little_and_those_that_were_cut_come_back(root: None) -> None:
    report = measure(Plan(hosts=60, settling=30.0, held=6.0, cut_hosts=10, cut=20.0))
    assert [bar.what for bar in report.bars if not bar.holds] == []
    assert len(report.bars) == 9


@pytest.mark.timeout(300)
def test_an_apply_killed_or_interrupted_at_any_moment_is_finished_by_the_next(op: Operator) -> None:
    report = apply.measure(apply.Plan(rounds=5), lab=op.lab.name)
    assert [bar.what for bar in report.bars if not bar.holds] == []
    assert len(report.bars) == 3
