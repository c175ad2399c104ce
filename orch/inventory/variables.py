"""Which value of a variable counts, of all that files give it for one host.

Later wins, in Ansible's order: the inventory's own `vars` of `all`, then of groups from the root downwards;
group_vars/all; the other files of group_vars/, in the order of the groups; what the inventory says of the host itself;
host_vars/. The variable `orch` is merged key by key over all of these; every other is replaced whole, as Ansible does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from orch.located import Located

Variables: TypeAlias = Mapping[str, Located]
OURS = "orch"


class Layer(msgspec.Struct, frozen=True):
    """What the files of one folder's group_vars/ and host_vars/ say: name → the variables of each file, in order."""

    groups: Mapping[str, Sequence[Variables]] = msgspec.field(default_factory=dict)
    hosts: Mapping[str, Sequence[Variables]] = msgspec.field(default_factory=dict)


class Written(msgspec.Struct, frozen=True):
    """All variables as they are written. `layers` in the order of the sources; later ones win."""

    groups: Mapping[str, Variables]
    hosts: Mapping[str, Variables]
    layers: Sequence[Layer] = ()

    def of_hosts(self, memberships: Mapping[str, Sequence[str]]) -> dict[str, Variables]:
        """Host → everything that holds for it. `memberships`: host → its groups from `all` downwards."""
        shared: dict[tuple[str, ...], Variables] = {}
        found: dict[str, Variables] = {}
        for host, own in self.hosts.items():
            names = tuple(memberships[host])
            if names not in shared:
                shared[names] = _merged(self._of_groups(names))
            files = (variables for layer in self.layers for variables in layer.hosts.get(host, ()))
            found[host] = _merged([shared[names], own, *files])
        return found

    def of_all(self) -> Variables:
        """What holds for the fleet as a whole."""
        return _merged(self._of_groups(("all",)))

    def _of_groups(self, names: Sequence[str]) -> Iterator[Variables]:
        yield from (self.groups[name] for name in names)
        # Of all sources first `all`, then the others: so Ansible takes the files beside its inventories.
        for some in (names[:1], names[1:]):
            for layer in self.layers:
                for name in some:
                    yield from layer.groups.get(name, ())

    def everywhere(self) -> Iterator[tuple[str, Variables]]:
        """Each place where variables are written, with the group that it is of, or "" for a host's own."""
        yield from self.groups.items()
        yield from (("", variables) for variables in self.hosts.values())
        for layer in self.layers:
            yield from ((name, variables) for name, files in layer.groups.items() for variables in files)
            yield from (("", variables) for files in layer.hosts.values() for variables in files)


def merge(base: Variables, over: Variables) -> dict[str, Located]:
    """`over` wins; what is ours is merged key by key."""
    merged = {**base, **over}
    if OURS in base and OURS in over:
        merged[OURS] = _merge_deep(base[OURS], over[OURS])
    return merged


def _merged(given: Iterable[Variables]) -> dict[str, Located]:
    merged: dict[str, Located] = {}
    for variables in given:
        if variables:
            merged = merge(merged, variables)
    return merged


def _merge_deep(base: Located, over: Located) -> Located:
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, entry in over.value.items():
        merged[key] = _merge_deep(merged[key], entry) if key in merged else entry
    return Located(merged, over.file, over.line, over.path)
