"""Host patterns: `web`, `all`, `w*`, several joined by `,` or `:`, `&` for only those also in, `!` for not."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence

_SEPARATOR = re.compile(r"[,:]")


def match_hosts(pattern: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The hosts that `pattern` names, in the order of `hosts`. `groups`: name → its hosts, all levels down.

    A part that names nothing, wildcards aside, is an error: it is a misspelling more often than not.
    Raises ValueError, whose text says which part.
    """
    parts = [p.strip() for p in _SEPARATOR.split(pattern)]
    if not all(p.strip("&!") for p in parts):
        raise ValueError(f"host pattern {pattern!r} has an empty part")
    plain = [p for p in parts if p[0] not in "&!"]
    chosen = {h for p in plain for h in _named(p, hosts, groups)} if plain else set(hosts)
    for part in parts:
        if part[0] == "&":
            chosen &= _named(part[1:], hosts, groups)
    for part in parts:
        if part[0] == "!":
            chosen -= _named(part[1:], hosts, groups)
    return [h for h in hosts if h in chosen]


def _named(part: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> set[str]:
    if part == "all":
        return set(hosts)
    if any(c in part for c in "*?["):
        in_groups = {h for g, members in groups.items() if fnmatch.fnmatchcase(g, part) for h in members}
        return in_groups | {h for h in hosts if fnmatch.fnmatchcase(h, part)}
    found = set(groups.get(part, ())) | ({part} & set(hosts))
    if not found and part not in groups:
        raise ValueError(f"no host or group is called {part!r}")
    return found
