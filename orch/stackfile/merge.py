"""Several Compose files as one: what a later file changes of an earlier one, by Compose's rules.

Mappings are merged key by key, lists are appended, and everything else is replaced. What is unique in a list (a mount's
target, a published port) is so for the readers, to whom the later entry counts. `!reset` takes a value away and
`!override` replaces it whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from orch.located import Located
from orch.stackfile.shapes import OVERRIDE, RESET, Shape


def merge(base: Located, over: Located, shape: Shape, key: str = "") -> Located:
    """Both as `shaped` leaves them. A `!reset` stays where it is, so that it also counts against what is merged below
    later; `settled` takes it away."""
    if over.tag in {RESET, OVERRIDE} or base.tag == RESET:
        return over
    if over.value is None or base.value is None:
        return base if over.value is None else over
    if isinstance(base.value, dict) and isinstance(over.value, dict) and not shape.replace:
        if key == "logging" and _drivers_differ(base.value, over.value):
            return over
        return over.with_value(_merged(base.value, over.value, shape))
    if isinstance(base.value, list) and isinstance(over.value, list) and not shape.replace:
        return over.with_value([*base.value, *over.value])
    return over


def settled(place: Located) -> Located:
    """Without what `!reset` takes away."""
    match place.value:
        case dict() as entries:
            return place.with_value({k: settled(v) for k, v in entries.items() if v.tag != RESET})
        case list() as items:
            return place.with_value([settled(item) for item in items if item.tag != RESET])
        case _:
            return place


def _merged(base: Mapping[str, Located], over: Mapping[str, Located], shape: Shape) -> dict[str, Located]:
    merged = dict(base)
    for key, entry in over.items():
        inner = (shape.keys or {}).get(key) or shape.names or Shape()
        merged[key] = merge(base[key], entry, inner, key) if key in base else entry
    return merged


def _drivers_differ(base: Mapping[str, Located], over: Mapping[str, Located]) -> bool:
    """The options of one driver mean nothing to another."""
    return "driver" in base and "driver" in over and base["driver"].value != over["driver"].value
