"""Host names as inventories write them: `web`, `2001:db8::1`, ranges: `web[01:50]`, `db-[a:f]`, `r[1:9:2]`."""

from __future__ import annotations

import ipaddress
import itertools
import math
import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

_RANGE = re.compile(r"\[([0-9]+|[a-z]|[A-Z]):([0-9]+|[a-z]|[A-Z])(?::([0-9]+))?\]")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_WITH_PORT = re.compile(r"[A-Za-z0-9_.-]+:[0-9]+|\[[0-9A-Fa-f:.]+\]:[0-9]+")
MAX_HOSTS = 10_000
MAX_NAME = 253  # of a name in DNS


class Span(msgspec.Struct, frozen=True):
    """From `first` to `last`, both of them numbers or letters as written; leading zeros set the width."""

    first: str
    last: str
    step: int = 1


Names: TypeAlias = tuple[str | Span, ...]
"""Text and spans in turn, as they stand in one written name."""


def expand_range(written: str) -> list[str]:
    """Every name that `written` stands for, in order; both ends belong to a range.

    Raises ValueError, whose text says what was expected.
    """
    if len(written) > MAX_NAME:
        raise ValueError(f"a host's name has at most {MAX_NAME} characters")
    names = _expand(parse_names(written), written)
    for name in names:
        if _NAME.fullmatch(name) is None and not is_ipv6(name):
            hint = "; a port goes into ansible_port" if _WITH_PORT.fullmatch(name) else ""
            raise ValueError(f"expected a host name or a range like web[01:20], not {written!r}{hint}")
    return names


def parse_names(written: str) -> Names:
    parts: list[str | Span] = []
    end = 0
    for match in _RANGE.finditer(written):
        first, last, step = match.groups()
        parts += [*_text(written[end : match.start()]), Span(first, last, int(step or 1))]
        end = match.end()
    return (*parts, *_text(written[end:]))


def render_names(names: Names) -> str:
    """What `parse_names` reads back."""
    return "".join(_written(part) for part in names)


def is_ipv6(text: str) -> bool:
    if ":" not in text:
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _text(text: str) -> list[str]:
    return [text] if text else []


def _written(part: str | Span) -> str:
    if isinstance(part, str):
        return part
    return f"[{part.first}:{part.last}]" if part.step == 1 else f"[{part.first}:{part.last}:{part.step}]"


def _expand(names: Names, written: str) -> list[str]:
    members = [[part] if isinstance(part, str) else _members(part) for part in names]
    if math.prod(map(len, members)) > MAX_HOSTS:
        raise ValueError(f"the range {written!r} is more than {MAX_HOSTS} hosts")
    return ["".join(chosen) for chosen in itertools.product(*members)]


def _members(span: Span) -> Sequence[str]:
    first, last = span.first, span.last
    if span.step < 1:
        raise ValueError("the step of a range must be 1 or more")
    if first.isdigit() and last.isdigit():
        width = len(first) if first.startswith("0") else 0
        start, end = int(first), int(last)
        if start > end:
            raise ValueError(f"the range [{first}:{last}] runs backwards")
        if (end - start) // span.step >= MAX_HOSTS:
            raise ValueError(f"the range [{first}:{last}] is more than {MAX_HOSTS} hosts")
        return [f"{n:0{width}d}" for n in range(start, end + 1, span.step)]
    if first.isdigit() or last.isdigit() or first.islower() != last.islower() or first > last:
        raise ValueError(f"the range [{first}:{last}] must run upwards, from number to number or letter to letter")
    return [chr(c) for c in range(ord(first), ord(last) + 1, span.step)]
