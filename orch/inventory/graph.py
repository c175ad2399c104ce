"""The groups of an inventory as a tree, to be looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from orch.inventory.groups import ALL, UNGROUPED, Tree


class Branch(msgspec.Struct, frozen=True):
    """A group with what is directly in it. A group that is in several others has a branch in each."""

    name: str
    children: tuple[Branch, ...] = ()
    hosts: tuple[str, ...] = ()

    def lines(self, depth: int = 0) -> Iterator[str]:
        """As `ansible-inventory --graph` prints it."""
        yield _line(f"@{self.name}:", depth)
        for child in self.children:
            yield from child.lines(depth + 1)
        for host in self.hosts:
            yield _line(host, depth + 1)

    def only(self, hosts: Collection[str]) -> Branch:
        """Without other hosts than these, and without groups that then have none."""
        children = (child.only(hosts) for child in self.children)
        kept = tuple(child for child in children if child.hosts or child.children)
        return Branch(self.name, kept, tuple(host for host in self.hosts if host in hosts))


def grow(tree: Tree, members: Mapping[str, Sequence[str]], name: str = ALL) -> Branch:
    """The tree from one group downwards. A host that is directly in `all` stands under `ungrouped`, if anywhere."""
    own = members[UNGROUPED] if name == UNGROUPED else () if name == ALL else tree.groups[name].hosts
    hosts = tuple(host for host in members[name] if host in own)
    return Branch(name, tuple(grow(tree, members, child) for child in children_of(tree, name)), hosts)


def children_of(tree: Tree, name: str) -> list[str]:
    """In the order of the files; of `all` also the groups that no other contains, `ungrouped` before the others."""
    if name != ALL:
        return list(tree.groups[name].children)
    parents = tree.parents()
    named = tree.groups[ALL].children
    found = [group for group in tree.groups if group in named or not parents[group]]
    return sorted((group for group in found if group != ALL), key=lambda group: group != UNGROUPED)


def _line(text: str, depth: int) -> str:
    return f"{'  |' * depth}--{text}" if depth else text
