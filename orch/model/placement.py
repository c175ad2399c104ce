"""Where a service's replicas may go, and where they should: as written, before any node is looked at."""

from __future__ import annotations

import re

import msgspec

from orch.model.node import Effect, Taint

_ATTRIBUTE = re.compile(r"node\.(?:hostname|id|role|platform\.(?:os|arch)|labels\.[A-Za-z0-9][A-Za-z0-9._/-]*)")
_CONSTRAINT = re.compile(r"\s*(\S+?)\s*(==|!=)\s*(.*?)\s*")


class Constraint(msgspec.Struct, frozen=True, order=True):
    """`node.labels.zone == north`. A node without the label has the empty value."""

    attribute: str
    equal: bool
    value: str

    def __str__(self) -> str:
        return f"{self.attribute} {'==' if self.equal else '!='} {self.value}"


class Toleration(msgspec.Struct, frozen=True, order=True):
    """Lets replicas onto nodes with taints of this key. An empty `value` or `effect` stands for any."""

    key: str
    value: str = ""
    effect: Effect | None = None

    def tolerates(self, taint: Taint) -> bool:
        return self.key == taint.key and self.value in {"", taint.value} and self.effect in {None, taint.effect}


class PlacementPolicy(msgspec.Struct, frozen=True):
    """`spread`: attributes over whose values replicas are spread, the first before the second. `max_per_node` of 0
    means no limit."""

    constraints: tuple[Constraint, ...] = ()
    spread: tuple[str, ...] = ()
    max_per_node: int = 0
    tolerations: tuple[Toleration, ...] = ()


def parse_constraint(text: str) -> Constraint:
    """Raises ValueError, whose text says what was expected."""
    match = _CONSTRAINT.fullmatch(text)
    if match is None or not match[3]:
        raise ValueError(f"expected a constraint like node.labels.zone == north, not {text!r}")
    return Constraint(parse_attribute(match[1]), match[2] == "==", match[3])


def parse_attribute(text: str) -> str:
    """What constraints and spreads may ask of a node. Raises ValueError."""
    if _ATTRIBUTE.fullmatch(text) is None:
        known = "node.hostname, node.id, node.role, node.platform.os, node.platform.arch and node.labels.NAME"
        raise ValueError(f"expected one of {known}, not {text!r}")
    return text
