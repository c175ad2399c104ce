"""Host ranges: `web[01:50]`, `db-[a:f]`, `r[1:9:2]`, several in one name."""

import re

_RANGE = re.compile(r"\[([0-9]+|[a-z]|[A-Z]):([0-9]+|[a-z]|[A-Z])(?::([0-9]+))?\]")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
MAX_HOSTS = 10_000
MAX_NAME = 253  # of a name in DNS


def expand_range(name: str) -> list[str]:
    """Every name that `name` stands for, in order; both ends belong to a range.

    Leading zeros of the first number set the width. Raises ValueError, whose text says what was expected.
    """
    names = _expand(name)
    for expanded in names:
        if _NAME.fullmatch(expanded) is None:
            raise ValueError(f"expected a host name or a range like web[01:20], not {name!r}")
    return names


def _expand(name: str) -> list[str]:
    if len(name) > MAX_NAME:
        raise ValueError(f"a host's name has at most {MAX_NAME} characters")
    match = _RANGE.search(name)
    if match is None:
        return [name]
    members, tails = _members(*match.groups()), _expand(name[match.end() :])
    if len(members) * len(tails) > MAX_HOSTS:
        raise ValueError(f"the range {name!r} is more than {MAX_HOSTS} hosts")
    return [f"{name[: match.start()]}{member}{tail}" for member in members for tail in tails]


def _members(first: str, last: str, step: str | None) -> list[str]:
    stride = int(step or 1)
    if stride < 1:
        raise ValueError("the step of a range must be 1 or more")
    if first.isdigit() and last.isdigit():
        width = len(first) if first.startswith("0") else 0
        start, end = int(first), int(last)
        numbers = range(start, end + 1, stride)
        if start > end:
            raise ValueError(f"the range [{first}:{last}] runs backwards")
        if (end - start) // stride >= MAX_HOSTS:
            raise ValueError(f"the range [{first}:{last}] is more than {MAX_HOSTS} hosts")
        return [f"{n:0{width}d}" for n in numbers]
    if first.isdigit() or last.isdigit() or first.islower() != last.islower() or first > last:
        raise ValueError(f"the range [{first}:{last}] must run upwards, from number to number or letter to letter")
    return [chr(c) for c in range(ord(first), ord(last) + 1, stride)]
