"""The fleet: all hosts and groups of an inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from orch.errors import InputError, UsageError
from orch.inventory.groups import Tree
from orch.inventory.hosts import Host, read_cluster, read_host, refuse_cluster
from orch.inventory.patterns import match_hosts
from orch.located import Located, read_located

DEFAULT_CLUSTER = "default"


class Fleet(msgspec.Struct, frozen=True):
    """`hosts` in the order of the files, which is the order of all output; `groups` with all levels' hosts."""

    cluster: str
    hosts: tuple[Host, ...]
    groups: Mapping[str, Sequence[str]]
    source: str

    def select(self, pattern: str) -> list[Host]:
        """Raises UsageError for a pattern that names nothing."""
        try:
            names = set(match_hosts(pattern, [h.name for h in self.hosts], self.groups))
        except ValueError as error:
            raise UsageError(f"{error} in {self.source}") from None
        if not names:
            raise UsageError(f"the pattern {pattern!r} matches no host in {self.source}")
        return [h for h in self.hosts if h.name in names]


def read_fleet(paths: Sequence[Path]) -> Fleet:
    """Read and merge inventory files, later ones over earlier ones. Raises InputError."""
    for path in paths:
        if not path.exists():
            raise InputError(path, None, "there is no such inventory; -i PATH or ORCH_INVENTORY names another")
    return build_fleet([read_located(path) for path in paths], paths[0].absolute().parent)


def build_fleet(documents: Sequence[Located], folder: Path) -> Fleet:
    """`folder` is where relative paths in the inventory start. Raises InputError."""
    tree = Tree()
    for document in documents:
        tree.add_file(document)
    source = ", ".join(d.file for d in documents)
    everything = tree.variables()
    hosts = tuple(read_host(name, everything[name], tree.places[name], folder) for name in everything)
    if not hosts:
        raise InputError(source, None, "names no hosts; expected all: hosts: NAME: …")
    _refuse_twins(hosts, tree)
    return Fleet(_cluster(tree), hosts, tree.members(), source)


def _cluster(tree: Tree) -> str:
    """The name in `all`; one in any other place would name a part of the fleet, which there is not."""
    for name, group in tree.groups.items():
        if name != "all":
            refuse_cluster(group.variables)
    for own in tree.host_variables.values():
        refuse_cluster(own)
    return read_cluster(tree.groups["all"].variables) or DEFAULT_CLUSTER


def _refuse_twins(hosts: Sequence[Host], tree: Tree) -> None:
    seen: dict[tuple[str, int, str], Host] = {}
    for host in hosts:
        key = (host.login.address, host.login.port or 22, host.login.netns)
        if key in seen:
            tree.places[host.name].fail(
                f"has the address {host.login.address}:{key[1]} of {seen[key].name} ({seen[key].place})"
            )
        seen[key] = host
