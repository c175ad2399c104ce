"""How far a node's clock is off, from one exchange with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orch.model.instant import Instant
from orch.observe.figures import decimal, whole

_TICK = 0.01
"""/proc/uptime counts hundredths of a second."""


class Skew(msgspec.Struct, frozen=True):
    """`seconds`: the node's clock minus the master's, at most `error` seconds wrong."""

    seconds: float
    error: float


def skew_of(facts: Mapping[str, str], sent: Instant, received: Instant) -> Skew:
    """The node read its clock (`time`) between the uptimes `began` and `clocked`, and answered at `ended`; by the
    master's clock the question was sent at `sent` and the answer was there at `received`.

    What the node worked in between is taken off, since its uptime is a clock that nobody sets; of the rest, the way
    there and back, half is taken for the way there, as NTP does. Raises KeyError and ValueError.
    """
    clock, resolution = _clock(facts["time"])
    began = decimal(facts.get("began", "0"))
    lag = max(0.0, decimal(facts.get("clocked", "0")) - began)
    worked = min(max(0.0, decimal(facts.get("ended", "0")) - began), received - sent)
    return Skew(
        seconds=clock - lag / 2 + worked / 2 - (sent + received) / 2,
        error=(received - sent - worked + lag) / 2 + resolution + _TICK,
    )


def _clock(text: str) -> tuple[Instant, float]:
    """Of `SECONDS.FRACTION`, where the fraction is no number if the node's date knows none: time and ± seconds."""
    seconds, _, fraction = text.partition(".")
    if fraction.isascii() and fraction.isdecimal():
        return decimal(text), 0.0
    return whole(seconds) + 0.5, 0.5
