"""The tree of groups: what an inventory's files say, and which hosts each group has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import NoReturn

from orch.inventory.problems import Problems
from orch.inventory.ranges import expand_range
from orch.inventory.variables import merge
from orch.located import Located

ALL, UNGROUPED = "all", "ungrouped"
_GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_GROUP_KEYS = ("hosts", "vars", "children")
_PRIORITY = "ansible_group_priority"


class Group:
    """A group while files are read: everything written of it, merged over its places. `hosts` are its own alone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hosts: dict[str, None] = {}
        self.children: dict[str, Located] = {}
        self.variables: dict[str, Located] = {}
        self.priority = 1


class Tree:
    """All groups of one or more files. `all` is the root; a group without a parent is its child.

    `ungrouped` has the hosts that no other group has. `places` is where each host is first mentioned.
    """

    def __init__(self, problems: Problems | None = None) -> None:
        self.groups: dict[str, Group] = {name: Group(name) for name in (ALL, UNGROUPED)}
        self.host_variables: dict[str, dict[str, Located]] = {}
        self.places: dict[str, Located] = {}
        self._problems = problems or Problems()

    def add_file(self, document: Located) -> None:
        """Raises InputError for anything that is not an inventory."""
        for name, body in self._problems.entries(document).items():
            self._problems.attempt(partial(self._add_group, name, body), None)

    def _add_group(self, name: str, body: Located) -> None:
        if _GROUP.fullmatch(name) is None:
            body.fail("a group's name is made of letters, digits and _ . - inside: host patterns use the rest")
        group = self.groups.setdefault(name, Group(name))
        # In the order of the file, as Ansible has it: of a host's variables in several places, the last one counts.
        for key, part in body.mapping(known=_GROUP_KEYS).items():
            self._problems.attempt(partial(self._add_part, group, key, part), None)

    def _add_part(self, group: Group, key: str, part: Located) -> None:
        if key == "vars":
            self._add_variables(group, part)
            return
        add = self._add_hosts if key == "hosts" else self._add_child
        for name, body in part.mapping().items():
            self._problems.attempt(partial(add, group, name, body), None)

    def _add_hosts(self, group: Group, written: str, variables: Located) -> None:
        given = variables.mapping()
        for name in variables.with_value(written).parsed(expand_range):
            group.hosts[name] = None
            self.places.setdefault(name, variables)
            self.host_variables[name] = merge(self.host_variables.get(name, {}), given)

    def _add_variables(self, group: Group, variables: Located) -> None:
        given = dict(variables.mapping())
        if priority := given.pop(_PRIORITY, None):
            group.priority = priority.integer(least=0)
        group.variables = merge(group.variables, given)

    def _add_child(self, group: Group, child: str, body: Located) -> None:
        if child == ALL:
            body.fail("the group all contains every other and is in none")
        if group.name == UNGROUPED:
            body.fail("ungrouped has the hosts that are in no group, and no groups; put this one into all")
        if child == UNGROUPED and group.name != ALL:
            body.fail("ungrouped has the hosts that are in no group, so it is in none but all")
        self._add_group(child, body)
        group.children[child] = body

    def ordered(self) -> list[Group]:
        """Every group after all that contain it: `all` first, then level by level, on one level by priority and name.

        A group's level is the length of the longest way to it. Raises InputError for one that contains itself.
        """
        parents = self.parents()
        level = {ALL: 0}
        ready = [name for name in parents if not parents[name] - {ALL} and name != ALL]
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
        return sorted((self.groups[name] for name in level), key=lambda g: (level[g.name], g.priority, g.name))

    def parents(self) -> dict[str, set[str]]:
        """Group → those that name it among their children."""
        parents: dict[str, set[str]] = {name: set() for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                parents[child].add(group.name)
        return parents

    def _fail_for_cycle(self, left: set[str]) -> NoReturn:
        """`left`: groups on cycles and below them; going upwards among them ends in a cycle."""
        path = [min(left)]
        while path[-1] not in path[:-1]:
            path.append(min(name for name in left if path[-1] in self.groups[name].children))
        cycle = path[path.index(path[-1]) :][::-1]
        self.groups[cycle[-2]].children[cycle[-1]].fail(f"the group contains itself: {' → '.join(cycle)}")

    def members(self, ordered: list[Group]) -> dict[str, list[str]]:
        """Group → its hosts, those of its children included, in the order of the files. `ordered` as above."""
        place = {host: number for number, host in enumerate(self.host_variables)}
        found: dict[str, set[str]] = {}
        for group in reversed(ordered):
            found[group.name] = set(group.hosts).union(*(found[child] for child in group.children))
        grouped = set().union(*(hosts for name, hosts in found.items() if name not in {ALL, UNGROUPED}))
        found |= {ALL: set(place), UNGROUPED: set(place) - grouped}
        return {name: sorted(hosts, key=place.__getitem__) for name, hosts in sorted(found.items())}


def group_names(members: Mapping[str, list[str]], ordered: list[Group]) -> dict[str, list[str]]:
    """Host → the groups it is in, in the order in which their variables count."""
    found: dict[str, list[str]] = {host: [] for host in members[ALL]}
    for group in ordered:
        for host in members[group.name]:
            found[host].append(group.name)
    return found
