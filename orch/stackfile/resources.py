"""How much a replica asks for and may use, and what becomes of one that ends: `deploy.resources`, `restart` and the
older keys that say the same beside `deploy`, which wins over them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import cast, get_args

from orch.located import Located
from orch.model.resources import Resources
from orch.model.spec import RestartCondition, RestartPolicy
from orch.stackfile import values
from orch.stackfile.reading import Reading

_PERIOD = 100_000
"""Microseconds, of which `cpu_quota` counts how many may be used: the kernel's default."""

_SHARES = 1024
"""What the kernel takes for one core."""

_CONDITIONS: Mapping[str, RestartCondition] = {
    "none": "no",
    "on-failure": "on-failure",
    "any": "always",
    # Of the other key, and often met here.
    "no": "no",
    "always": "always",
    "unless-stopped": "unless-stopped",
}


def read_resources(entries: Mapping[str, Located], deploy: Mapping[str, Located]) -> tuple[Resources, Resources]:
    """What is asked for, and the limit."""
    resources = values.section(deploy, "resources")
    limits, reservations = values.section(resources, "limits"), values.section(resources, "reservations")
    limit = Resources(
        values.optional(limits, "cpus", values.millicpus, _older_cpus(entries)),
        values.optional(limits, "memory", values.size, values.optional(entries, "mem_limit", values.size, 0)),
    )
    asked = Resources(
        values.optional(reservations, "cpus", values.millicpus, _older_shares(entries, limit)),
        values.optional(
            reservations, "memory", values.size, values.optional(entries, "mem_reservation", values.size, 0)
        ),
    )
    # Who sets a limit alone is given it for sure, as Kubernetes does.
    request = Resources(asked.millicpus or limit.millicpus, asked.memory or limit.memory)
    return request, limit


def check_request(place: Located, request: Resources, limit: Resources) -> None:
    """`place` is the service; the error names what reserves too much."""
    entries = place.mapping()
    reserved = values.section(values.section(entries, "deploy"), "resources").get("reservations")
    for what, asked, most in (
        ("cpus", request.millicpus, limit.millicpus),
        ("memory", request.memory, limit.memory),
    ):
        if most and asked > most:
            named = reserved if reserved is not None and what in reserved.mapping() else entries["mem_reservation"]
            named.fail(f"reserves more {what} than the limit allows")


def read_pids(entries: Mapping[str, Located], deploy: Mapping[str, Located]) -> int:
    """-1 for no limit, 0 for podman's own."""
    limits = values.section(values.section(deploy, "resources"), "limits")
    return values.optional(limits, "pids", _pids, values.optional(entries, "pids_limit", _pids, 0))


def read_restart(
    entries: Mapping[str, Located], deploy: Mapping[str, Located], reading: Reading
) -> tuple[RestartPolicy, float, float]:
    """The policy, its delay and its window."""
    if "restart_policy" not in deploy or deploy["restart_policy"].value is None:
        return values.optional(entries, "restart", _restart, RestartPolicy()), 0.0, 0.0
    policy = values.section(deploy, "restart_policy")
    condition = values.optional(policy, "condition", _condition, _CONDITIONS["any"])
    attempts = values.optional(policy, "max_attempts", values.whole(0, 10**9 - 1), 0)
    if attempts and condition != "on-failure":
        reading.note(
            policy["max_attempts"], "max_attempts", "counts with condition: on-failure alone, and is passed over here"
        )
        attempts = 0
    delay = values.optional(policy, "delay", values.seconds, 0.0)
    return RestartPolicy(condition, attempts), delay, values.optional(policy, "window", values.seconds, 0.0)


def _older_cpus(entries: Mapping[str, Located]) -> int:
    quota = values.optional(entries, "cpu_quota", values.whole(-1), 0)
    period = values.optional(entries, "cpu_period", values.whole(1), _PERIOD)
    return values.optional(entries, "cpus", values.millicpus, math.ceil(max(quota, 0) * 1000 / period))


def _older_shares(entries: Mapping[str, Located], limit: Resources) -> int:
    """A weight and no promise in Compose, so it may well be more than the limit."""
    asked = math.ceil(values.optional(entries, "cpu_shares", values.whole(0, 262_144), 0) * 1000 / _SHARES)
    return min(asked, limit.millicpus) if limit.millicpus else asked


def _pids(place: Located) -> int:
    return values.whole(-1)(place) or -1


def _condition(place: Located) -> RestartCondition:
    values.one_of(*_CONDITIONS)(place.with_value("no") if place.value is False else place)
    return _CONDITIONS["no" if place.value is False else place.string()]


def _restart(place: Located) -> RestartPolicy:
    text = "no" if place.value is False else place.string()
    condition, colon, attempts = text.partition(":")
    if condition not in get_args(RestartCondition) or (colon and condition != "on-failure"):
        place.expected("no, always, unless-stopped, on-failure or on-failure:N")
    if colon and re.fullmatch("[0-9]{1,9}", attempts) is None:
        place.expected("a number of attempts after on-failure:")
    return RestartPolicy(cast(RestartCondition, condition), int(attempts or 0))
