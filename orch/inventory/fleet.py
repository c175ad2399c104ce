"""The fleet: all hosts and groups of an inventory, and the inventory that it is made from."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from orch.errors import InputError, UsageError
from orch.inventory.groups import Tree, group_names
from orch.inventory.hosts import Host, read_host
from orch.inventory.matching import Matcher, PatternError
from orch.inventory.ours import Ours, check_written
from orch.inventory.problems import Problems
from orch.inventory.sources import (
    Layers,
    folder_of,
    inventory_files,
    lookups,
    read_hosts_file,
    read_inventory_file,
    read_layers,
)
from orch.inventory.templates import FLEET, Lookups, Templates, is_encrypted
from orch.inventory.variables import Written
from orch.located import Located
from orch.model.addresses import AddressRanges


class Fleet(msgspec.Struct, frozen=True):
    """`hosts` in the order of the files, which is the order of all output; `groups` with all levels' hosts."""

    cluster: str
    hosts: tuple[Host, ...]
    groups: Mapping[str, Sequence[str]]
    source: str
    ranges: AddressRanges = AddressRanges()

    def select(self, pattern: str) -> list[Host]:
        """Raises UsageError for a pattern that names nothing."""
        names = set(select_names(pattern, [h.name for h in self.hosts], self.groups, self.source))
        return [h for h in self.hosts if h.name in names]


def select_names(pattern: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]], source: str) -> list[str]:
    """The hosts that `pattern` names. Raises UsageError for one that names nothing."""
    try:
        names = Matcher(hosts, groups, read_hosts_file).match(pattern)
    except PatternError as error:
        remedy = f"; {error.remedy}" if error.remedy else ""
        raise UsageError(f"{error} in {source}{remedy}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not names:
        raise UsageError(f"the pattern {pattern!r} matches no host in {source}")
    return names


class Inventory:
    """Everything that was read, before anything is made of it.

    `members`: group → its hosts, all levels down. `memberships`: host → its groups, from `all` downwards.
    """

    def __init__(self, tree: Tree, read: Layers, folder: Path, source: str, fetch: Lookups) -> None:
        """Raises InputError for groups that contain themselves, and for no hosts at all."""
        self.tree, self.source, self.unread, self._folder = tree, source, read.unread, folder
        ordered = tree.ordered()
        self.members = tree.members(ordered)
        self.memberships = group_names(self.members, ordered)
        if not self.members["all"]:
            raise InputError(source, None, "names no hosts; expected all: hosts: NAME: …")
        groups = {name: group.variables for name, group in tree.groups.items()}
        self.written = Written(groups, tree.host_variables, read.layers)
        variables = {FLEET: self.written.of_all(), **self.written.of_hosts(self.memberships)}
        self.templates = Templates(variables, self.memberships, self.members, str(folder), fetch, read.unread)

    def host(self, name: str, problems: Problems) -> Host:
        """Raises InputError."""
        return read_host(name, self.templates, self.tree.places[name], self._folder, problems)

    def render_all(self, name: str, problems: Problems) -> None:
        """Renders every variable of a host, whether it is acted on or not. Raises InputError.

        What ansible-vault has encrypted is an error where it is acted on alone.
        """
        for variable, written in self.templates.variables[name].items():
            if not is_encrypted(written):
                problems.attempt(partial(self.templates.get, name, variable), None)

    def fleet(self, problems: Problems) -> Fleet:
        """Raises InputError."""
        check_written(self.written.everywhere(), problems)
        of_all = Ours(self.templates.variables[FLEET], partial(self.templates.render, FLEET), problems)
        hosts = tuple(self.host(name, problems) for name in self.tree.places)
        fleet = Fleet(of_all.cluster(), hosts, self.members, self.source, of_all.ranges())
        self._refuse_twins(hosts, problems)
        for host in hosts:
            problems.attempt(partial(self._refuse_address, host, fleet.ranges), None)
        return fleet

    def _refuse_twins(self, hosts: Sequence[Host], problems: Problems) -> None:
        seen: dict[tuple[object, ...], Host] = {}
        for host in hosts:
            login, place = host.login, self.tree.places[host.name]
            local = login.connection == "local"
            key = (local,) if local else (login.address, login.port or 22, login.netns, login.proxy_jump)
            if twin := seen.get(key):
                what = "is this machine, as is" if local else f"has the address {login.address}:{login.port or 22} of"
                problems.attempt(partial(place.fail, f"{what} {twin.name} ({twin.place})"), None)
            seen[key] = host

    def _refuse_address(self, host: Host, ranges: AddressRanges) -> None:
        try:
            address = ipaddress.ip_address(host.login.address)
        except ValueError:
            return
        for key, network in (("container_range", ranges.containers), ("service_range", ranges.services)):
            if address in network:
                self.tree.places[host.name].fail(
                    f"its address {address} is in orch's {key}, {network}; "
                    f"set {key} under orch in the vars of all to one that nobody else uses"
                )


def read_fleet(paths: Sequence[Path]) -> Fleet:
    """Read and merge inventories, files or folders, later ones over earlier ones. Raises InputError."""
    problems = Problems()
    return read_inventory(paths, problems).fleet(problems)


def read_inventory(paths: Sequence[Path], problems: Problems) -> Inventory:
    """Raises InputError, for what makes the rest unreadable even when `problems` keeps errors."""
    tree = Tree(problems)
    for path in inventory_files(paths, problems):
        if document := problems.attempt(partial(read_inventory_file, path), None):
            tree.add_file(document)
    folders = [folder_of(path) for path in paths]
    layers = read_layers(folders, tree.groups, tree.places, problems)
    # Made absolute once: a command may change its folder before a path is used.
    first = folders[0].absolute()
    return Inventory(tree, layers, first, ", ".join(map(str, paths)), lookups(first))


def build_fleet(documents: Sequence[Located], folder: Path) -> Fleet:
    """A fleet from inventories that are read already, with nothing beside them. Raises InputError."""
    problems = Problems()
    tree = Tree(problems)
    for document in documents:
        tree.add_file(document)
    source = ", ".join(d.file for d in documents)
    return Inventory(tree, Layers(), folder, source, {}).fleet(problems)
