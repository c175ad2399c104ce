"""The soak of connections in its short form; `./scripts/soak connections` is the long one."""

from __future__ import annotations

from tests.soak.connections import Plan, measure


def test_held_connections_cost_little_and_those_that_were_cut_come_back(root: None) -> None:
    report = measure(Plan(hosts=60, settling=30.0, held=6.0, cut_hosts=10, cut=20.0))
    assert [bar.what for bar in report.bars if not bar.holds] == []
    assert len(report.bars) == 9
