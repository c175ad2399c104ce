"""How `orch describe` and `orch get` understand names, and what they show to people."""

from __future__ import annotations

import pytest

from orch.cli.describe import clock, kinds_of, lines, only_one
from orch.cli.main import run_cli
from orch.controllers.describe import Description
from orch.errors import UsageError


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("shop/web.1", ("replica",)),
        ("shop/web", ("service",)),
        ("shop", ("stack", "node", "volume")),
        ("w1.example.com", ("stack", "node", "volume")),
        ("shop/web.0", ("service",)),
    ],
)
def test_a_name_tells_by_its_shape_what_it_may_be(name: str, kinds: tuple[str, ...]) -> None:
    assert kinds_of(name) == kinds


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (
            {"stack": {"stack": "a"}, "node": {"node": "a"}, "volume": None},
            "a is a stack and a node; say `orch describe stack a` or `orch describe node a`",
        ),
        (
            {"stack": None, "node": None},
            "there is no stack or node a; `orch get stack` or `orch get node` lists what there is",
        ),
        ({"service": None}, "there is no service a; `orch get service` lists what there is"),
    ],
)
def test_a_name_of_none_or_of_several_is_refused(described: dict[str, Description | None], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        only_one(described, "a")
    assert str(caught.value) == message


def test_the_only_object_of_a_name_is_taken() -> None:
    assert only_one({"stack": None, "node": {"node": "a"}}, "a") == {"node": "a"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["describe", "servce", "a/b"], "there is no kind 'servce'; did you mean service?"),
        (["get", "nodes"], "there is no kind 'nodes'; did you mean node?"),
        (["get", "x"], "there is no kind 'x'; expected one of stack, service, replica, node, volume"),
        (["describe", "node", "a", "b"], "describe takes one KIND and one NAME, not node a b"),
    ],
)
def test_a_kind_that_there_is_not_is_refused_with_the_nearest(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(words) == 2
    assert capsys.readouterr().err == f"orch: {message}\n"


@pytest.mark.parametrize(
    ("skew", "error", "told"),
    [
        (-0.0013, 0.001, "in step"),
        (0.05, 0.0, "in step"),
        (0.3, 0.01, "0.3 s ahead"),
        (0.3, 0.4, "in step"),
        (-2.04, 0.0, "2.0 s behind"),
        (-75.6, 0.0, "76 s behind"),
    ],
)
def test_a_clock_is_told_as_far_as_it_matters(skew: float, error: float, told: str) -> None:
    assert clock(skew, error) == told


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"limit": {"cpus": 0, "memory": 0}}, "limit: none"),
        ({"limit": {"cpus": 0.5, "memory": 0}}, "limit: 0.5 cpus"),
        ({"used": {"cpus": None, "memory": 64 << 20}}, "used: 64m memory"),
        ({"used": {"cpus": None, "memory": None}}, "used: -"),
        ({"labels": {"cpus": "many", "memory": "much"}}, "labels: cpus=many, memory=much"),
        ({"clock_skew": -3.0, "clock_error": 0.1}, "clock:       3.0 s behind"),
    ],
)
def test_amounts_are_told_as_people_would(found: Description, line: str) -> None:
    assert list(lines(found, "")) == [line]


def test_a_node_of_which_nothing_is_known_has_no_clock() -> None:
    assert list(lines({"clock_skew": None, "clock_error": None}, "")) == []
