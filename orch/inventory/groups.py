"""The tree of groups and the variables that each host gets from it.

Nearer wins: `all`, then groups from the root downwards (on one level by name), then the host's own. The variable
`orch` is merged key by key over all levels; every other is replaced whole, as Ansible does.
"""

from __future__ import annotations

from collections.abc import Mapping

from orch.inventory.ranges import expand_range
from orch.located import Located

Variables = Mapping[str, Located]
_MERGED = "orch"
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

    def ordered(self) -> list[tuple[Group, int]]:
        """Every group with its depth below `all`, from the root downwards, on one level by name.

        Raises InputError for a group that contains itself.
        """
        depth = {"all": 0}
        orphans = set(self.groups) - {c for g in self.groups.values() for c in g.children} - {"all"}
        for name in sorted(orphans):
            self._measure(name, 1, depth, ())
        for name in sorted(self.groups["all"].children):
            self._measure(name, 1, depth, ())
        for name in sorted(set(self.groups) - set(depth)):  # Only cycles are left.
            self._measure(name, 1, depth, ())
        return [(self.groups[n], d) for n, d in sorted(depth.items(), key=lambda item: (item[1], item[0]))]

    def _measure(self, name: str, level: int, depth: dict[str, int], path: tuple[str, ...]) -> None:
        if name in path:
            place = self.groups[path[-1]].children[name]
            place.fail(f"the group contains itself: {' → '.join((*path, name))}")
        if depth.get(name, -1) >= level:
            return
        depth[name] = level
        for child in self.groups[name].children:
            self._measure(child, level + 1, depth, (*path, name))

    def members(self) -> dict[str, list[str]]:
        """Group → its hosts, those of its children included, in the order of the files."""
        everyone = list(self.host_variables)
        found: dict[str, set[str]] = {}
        for group, _ in reversed(self.ordered()):
            found[group.name] = set(group.hosts).union(*(found[c] for c in group.children))
        found["all"] = set(everyone)
        return {name: [h for h in everyone if h in hosts] for name, hosts in sorted(found.items())}

    def variables(self) -> dict[str, dict[str, Located]]:
        """Host → everything that holds for it."""
        members = {name: set(hosts) for name, hosts in self.members().items()}
        groups = [group for group, _ in self.ordered()]
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
