"""Where replicas may go and how they are renewed: `deploy.placement`, `update_config`, `depends_on`, `x-orch`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from orch.located import Located
from orch.model.node import parse_taint
from orch.model.placement import PlacementPolicy, Toleration, parse_attribute, parse_constraint
from orch.model.rollout import Dependency, DependencyCondition, FailureAction, Order, UpdatePolicy
from orch.stackfile import values
from orch.stackfile.shapes import OURS

_TOLERATION = re.compile(r"[^=:]+(?:=[^=:]*)?(?::[^=:]*)?")
_EXPECTED = "a toleration like KEY, KEY=VALUE, KEY:NoSchedule or KEY=VALUE:NoExecute"


def read_placement(entries: Mapping[str, Located], deploy: Mapping[str, Located]) -> PlacementPolicy:
    placement = values.section(deploy, "placement")
    ours = values.section(entries, OURS)
    constraints = {place.parsed(parse_constraint) for place in values.items(placement, "constraints")}
    return PlacementPolicy(
        constraints=tuple(sorted(constraints)),
        spread=tuple(dict.fromkeys(_spread(place) for place in values.items(placement, "preferences"))),
        max_per_node=values.optional(placement, "max_replicas_per_node", values.whole(), 0),
        tolerations=tuple(sorted({_toleration(place) for place in values.items(ours, "tolerations")}, key=_order)),
    )


def read_update(place: Located) -> UpdatePolicy:
    return _update(place, "pause", "continue", "rollback")


def read_rollback(place: Located) -> UpdatePolicy:
    return _update(place, "pause", "continue")


def read_dependencies(place: Located) -> tuple[Dependency, ...]:
    found = []
    for name, entry in place.mapping().items():
        entries = entry.mapping()
        condition = values.one_of("service_started", "service_healthy", "service_completed_successfully")
        found.append(
            Dependency(
                name,
                cast(DependencyCondition, values.optional(entries, "condition", condition, "service_started")),
                restart=values.optional(entries, "restart", values.flag, False),
                required=values.optional(entries, "required", values.flag, True),
            )
        )
    return tuple(sorted(found))


def _spread(place: Located) -> str:
    if "spread" not in place.mapping():
        place.fail("expected spread: node.labels.NAME")
    return place.mapping()["spread"].parsed(parse_attribute)


def _order(toleration: Toleration) -> tuple[str, str, str]:
    return toleration.key, toleration.value, toleration.effect or ""


def _toleration(place: Located) -> Toleration:
    if isinstance(place.value, dict):
        entries = place.mapping()
        if "key" not in entries:
            place.fail("expected key: NAME, the taint's")
        key, value, effect = (values.optional(entries, name, values.text, "") for name in ("key", "value", "effect"))
    else:
        text = place.string()
        if _TOLERATION.fullmatch(text) is None:
            place.expected(_EXPECTED)
        left, colon, effect = text.partition(":")
        key, _, value = left.partition("=")
        if colon and not effect:
            place.expected(_EXPECTED)
    try:
        # What a taint cannot be need not be tolerated.
        taint = parse_taint(f"{key}={value}:{effect or 'NoSchedule'}")
    except ValueError:
        place.expected(_EXPECTED)
    return Toleration(taint.key, taint.value, taint.effect if effect else None)


def _update(place: Located, *actions: str) -> UpdatePolicy:
    entries, usual = place.mapping(), UpdatePolicy()
    order = values.one_of("stop-first", "start-first")
    return UpdatePolicy(
        parallelism=values.optional(entries, "parallelism", values.whole(), usual.parallelism),
        delay=values.optional(entries, "delay", values.seconds, usual.delay),
        failure_action=cast(
            FailureAction,
            values.optional(entries, "failure_action", values.one_of(*actions), usual.failure_action),
        ),
        monitor=values.optional(entries, "monitor", values.seconds, usual.monitor),
        max_failure_ratio=values.optional(entries, "max_failure_ratio", _ratio, usual.max_failure_ratio),
        order=cast(Order, values.optional(entries, "order", order, usual.order)),
    )


def _ratio(place: Located) -> float:
    text = place.string()
    if re.fullmatch(r"[0-9]{0,3}\.?[0-9]{1,17}", text) is None or Decimal(text) > 1:
        place.expected("a ratio from 0 to 1")
    return float(Decimal(text))
