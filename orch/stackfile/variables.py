"""Compose's variables in values.

`$X`, `${X}`, `${X:-default}`, `${X-…}`, `${X:?error}`, `${X?…}`, `${X:+other}`, `${X+…}`, `$$`; what stands behind an
operator may have variables itself. A `$` that begins nothing of these stays, as in Compose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|(?P<braced>\{))")
_BRACED = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<operator>:?[-?+])?")
_DEEPEST = 20
"""Variables within operands of variables; nobody writes more than three."""


class Interpolated(msgspec.Struct, frozen=True):
    """`unset`: the variables that had no value where one was called for, and count as empty."""

    text: str
    unset: tuple[str, ...] = ()


def interpolate(text: str, variables: Mapping[str, str]) -> Interpolated:
    """Raises ValueError for a variable that must be set, and for a `${` that is none. Its text repeats no value."""
    return _interpolated(text, variables, 0)


def _interpolated(text: str, variables: Mapping[str, str], depth: int) -> Interpolated:
    if depth > _DEEPEST:
        raise ValueError(f"has variables within variables more than {_DEEPEST} deep")
    parts: list[str] = []
    unset: list[str] = []
    at = 0
    while match := _REFERENCE.search(text, at):
        parts.append(text[at : match.start()])
        at = match.end()
        if match["escaped"]:
            parts.append("$")
            continue
        if match["plain"]:
            found = _plain(match["plain"], variables)
        else:
            end = _closing(text, at)
            found = _braced(text[at:end], variables, depth)
            at = end + 1
        parts.append(found.text)
        unset += found.unset
    return Interpolated("".join([*parts, text[at:]]), tuple(unset))


def _plain(name: str, variables: Mapping[str, str]) -> Interpolated:
    return Interpolated(variables[name]) if name in variables else Interpolated("", (name,))


def _closing(text: str, start: int) -> int:
    """Where the brace ends that was opened before `start`; braces within belong to each other."""
    depth = 1
    for brace in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    raise ValueError("has a ${ without its }; write $$ for a dollar sign")


def _braced(inside: str, variables: Mapping[str, str], depth: int) -> Interpolated:
    match = _BRACED.match(inside)
    if match is None or (match["operator"] is None and match.end() < len(inside)):
        raise ValueError(
            "has a ${…} that is no variable; known are ${X}, ${X:-default}, ${X:?error} and ${X:+other}, "
            "and $$ for a dollar sign"
        )
    name, operator, operand = match["name"], match["operator"] or "", inside[match.end() :]
    found = variables.get(name)
    # With a colon, an empty value counts as unset.
    there = found is not None and not (operator.startswith(":") and found == "")
    match operator[-1:]:
        case "":
            return _plain(name, variables)
        case "+":
            return _interpolated(operand, variables, depth + 1) if there else Interpolated("")
        case _ if there and found is not None:
            return Interpolated(found)
        case "-":
            return _interpolated(operand, variables, depth + 1)
        case _:
            said = _interpolated(operand, variables, depth + 1).text
            raise ValueError(f"the variable {name} must be set: {said or 'it is not'}")
