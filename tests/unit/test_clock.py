"""How far a clock is off, told from one exchange."""

from __future__ import annotations

import pytest

from orch.observe.clock import skew_of

SENT, RECEIVED = 1000.0, 1000.6
TICK = 0.01


@pytest.mark.parametrize(
    ("facts", "seconds", "error"),
    [
        # A clock that agrees, read half-way through an exchange of which nothing is known.
        ({"time": "1000.300000000"}, 0.0, 0.3 + TICK),
        ({"time": "1005.300000000"}, 5.0, 0.3 + TICK),
        ({"time": "995.300000000"}, -5.0, 0.3 + TICK),
        # 0.4 s of work after the clock was read leave 0.1 s for each way.
        ({"time": "1000.100000000", "began": "50.00", "clocked": "50.00", "ended": "50.40"}, 0.0, 0.1 + TICK),
        # The clock was read some time between two looks at the uptime.
        ({"time": "1000.120000000", "began": "50.00", "clocked": "50.04", "ended": "50.40"}, 0.0, 0.12 + TICK),
        # Whole seconds are half a second wrong at most, and half a second early on average.
        ({"time": "1000"}, 0.2, 0.8 + TICK),
        ({"time": "1000.%N"}, 0.2, 0.8 + TICK),
        ({"time": "1000."}, 0.2, 0.8 + TICK),
        # An uptime that runs backwards or says more than the exchange took proves nothing.
        ({"time": "1000.300000000", "began": "50.00", "clocked": "50.00", "ended": "49.00"}, 0.0, 0.3 + TICK),
        ({"time": "1000.000000000", "began": "50.00", "clocked": "50.00", "ended": "59.00"}, 0.0, TICK),
    ],
)
def test_the_skew_and_how_wrong_it_may_be(facts: dict[str, str], seconds: float, error: float) -> None:
    found = skew_of(facts, SENT, RECEIVED)

    assert found.seconds == pytest.approx(seconds, abs=1e-6)
    assert found.error == pytest.approx(error, abs=1e-6)


@pytest.mark.parametrize("way_there", [0.0, 0.1, 0.35, 0.6])
@pytest.mark.parametrize("worked", [0.0, 0.2])
@pytest.mark.parametrize("skew", [-3.0, 0.0, 0.25, 86_400.0])
def test_the_truth_lies_within_the_error_whatever_the_network_does(
    way_there: float, worked: float, skew: float
) -> None:
    facts = {
        "time": f"{SENT + way_there + skew:.9f}",
        "began": "70.00",
        "clocked": "70.00",
        "ended": f"{70 + worked:.2f}",
    }
    found = skew_of(facts, SENT, SENT + 0.6 + worked)

    assert abs(found.seconds - skew) <= found.error <= 0.3 + TICK + 1e-6


def test_a_node_that_tells_no_time_has_no_skew() -> None:
    with pytest.raises(KeyError, match="time"):
        skew_of({"began": "1.00"}, SENT, RECEIVED)


@pytest.mark.parametrize("text", ["", "noon", "noon.5", "-1.5", "1e3.5", f"{'9' * 40}"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|expected a number|more than a machine"):
        skew_of({"time": text}, SENT, RECEIVED)
