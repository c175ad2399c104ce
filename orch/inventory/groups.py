"""The tree of groups and the variables that each host gets from it.

Nearer wins: `all`, then groups from the root downwards (on one level by name), then the host's own. The variable
`orch` is merged key by key over all levels; every other is replaced whole, as Ansible does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from orch.inventory.ranges import expand_range
from orch.located import Located

Variables = Mapping[str, Located]
_MERGED = "orch"
_GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_GROUP_KEYS = ("hosts", "vars", "children")


class Group:
    """A group while files are read: everything written of it, merged over its places."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hosts: dict[str, None] = {}
        self.children: dict[str, Located] = {}
        self.variables: dict[str, Located] = {}


class Tree:
    """All groups of one or more files. `all` is the root; a group without a parent is its child."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {"all": Group("all")}
        self.host_variables: dict[str, dict[str, Located]] = {}
        self.places: dict[str, Located] = {}

    def add_file(self, document: Located) -> None:
        """Raises InputError for anything that is not an inventory."""
        for name, body in document.mapping().items():
            self._add_group(name, body)

    def _add_group(self, name: str, body: Located) -> None:
        if _GROUP.fullmatch(name) is None:
            body.fail("a group's name is made of letters, digits and _ . - inside: host patterns use the rest")
        group = self.groups.setdefault(name, Group(name))
        parts = body.mapping(known=_GROUP_KEYS)
        if hosts := parts.get("hosts"):
            for written, own in hosts.mapping().items():
                self._add_hosts(group, written, own)
        if variables := parts.get("vars"):
            group.variables = merge(group.variables, variables.mapping())
        if children := parts.get("children"):
            for child, child_body in children.mapping().items():
                if child == "all":
                    child_body.fail("the group all contains every other and is in none")
                group.children[child] = child_body
                self._add_group(child, child_body)

    def _add_hosts(self, group: Group, written: str, variables: Located) -> None:
        for name in variables.with_value(written).parsed(expand_range):
            group.hosts[name] = None
            self.places.setdefault(name, variables)
            self.host_variables[name] = merge(self.host_variables.get(name, {}), variables.mapping())

    def ordered(self) -> list[Group]:
        """Every group after all that contain it: `all` first, then level by level, on one level by name.

        A group's level is the length of the longest way to it. Raises InputError for one that contains itself.
        """
        parents: dict[str, set[str]] = {name: set() for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                parents[child].add(group.name)
        level = {"all": 0}
        ready = [name for name in parents if not parents[name] - {"all"} and name != "all"]
        while ready:
            name = ready.pop()
            level[name] = 1 + max((level[parent] for parent in parents[name]), default=0)
            ready += [
                child
                for child in self.groups[name].children
                if child not in level and all(parent in level for parent in parents[child])
            ]
        if len(level) < len(self.groups):
            self._fail_for_cycle({name for name in self.groups if name not in level})
        return [self.groups[name] for name in sorted(level, key=lambda name: (level[name], name))]

    def _fail_for_cycle(self, left: set[str]) -> NoReturn:
        """`left`: groups on cycles and below them; going upwards among them ends in a cycle."""
        path = [min(left)]
        while path[-1] not in path[:-1]:
            path.append(min(name for name in left if path[-1] in self.groups[name].children))
        cycle = path[path.index(path[-1]) :][::-1]
        self.groups[cycle[-2]].children[cycle[-1]].fail(f"the group contains itself: {' → '.join(cycle)}")

    def members(self) -> dict[str, list[str]]:
        """Group → its hosts, those of its children included, in the order of the files."""
        everyone = list(self.host_variables)
        found: dict[str, set[str]] = {}
        for group in reversed(self.ordered()):
            found[group.name] = set(group.hosts).union(*(found[c] for c in group.children))
        found["all"] = set(everyone)
        return {name: [h for h in everyone if h in hosts] for name, hosts in sorted(found.items())}

    def variables(self) -> dict[str, dict[str, Located]]:
        """Host → everything that holds for it."""
        members = {name: set(hosts) for name, hosts in self.members().items()}
        groups = self.ordered()
        result = {}
        for host, own in self.host_variables.items():
            merged: dict[str, Located] = {}
            for group in groups:
                if host in members[group.name]:
                    merged = merge(merged, group.variables)
            result[host] = merge(merged, own)
        return result


def merge(base: Variables, over: Variables) -> dict[str, Located]:
    """`over` wins; what is ours is merged key by key."""
    merged = {**base, **over}
    if _MERGED in base and _MERGED in over:
        merged[_MERGED] = _merge_deep(base[_MERGED], over[_MERGED])
    return merged


def _merge_deep(base: Located, over: Located) -> Located:
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, entry in over.value.items():
        merged[key] = _merge_deep(merged[key], entry) if key in merged else entry
    return Located(merged, over.file, over.line, over.path)
