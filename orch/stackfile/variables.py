"""Compose's variables in values: `$X`, `${X}`, `${X:-default}`, `${X-…}`, `${X:?error}`, `${X:+other}`, `$$`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(
    r"""\$(?:
        (?P<escaped>\$)
      | (?P<plain>[A-Za-z_][A-Za-z0-9_]*)
      | \{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-?+])(?P<operand>[^{}]*))?\}
      | (?P<wrong>)
    )""",
    re.VERBOSE,
)


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Raises ValueError for a variable that must be set, and for a `$` that starts nothing known."""

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["wrong"] is not None:
            raise ValueError("has a $ that begins no variable; write $$ for a dollar sign")
        name, operator = match["plain"] or match["name"], match["operator"] or ""
        found = variables.get(name)
        # With a colon, an empty value counts as unset.
        there = found is not None and (found != "" or not operator.startswith(":"))
        match operator[-1:]:
            case "-":
                return found if there and found is not None else match["operand"]
            case "+":
                return match["operand"] if there else ""
            case "?" if not there:
                raise ValueError(f"the variable {name} must be set: {match['operand'] or 'it is not'}")
            case "" if found is None:
                raise ValueError(f"the variable {name} is not set; ${{{name}:-}} would allow that")
            case _:
                return found or ""

    return _REFERENCE.sub(value, text)
