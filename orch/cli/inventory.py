"""`orch inventory`."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from orch.cli.group import Group
from orch.cli.output import Column, Row, emit, print_json, table, warn
from orch.cli.settings import Settings, current_settings, settings_options
from orch.errors import InputError, UsageError
from orch.inventory.fleet import Fleet, Inventory, read_inventory, select_names
from orch.inventory.graph import Branch, children_of, grow
from orch.inventory.hosts import Host
from orch.inventory.matching import nearest
from orch.inventory.problems import Problems
from orch.inventory.report import Told, tell_login, tell_variables
from orch.model.node import NodeSpec
from orch.model.quantities import format_cpus, format_memory
from orch.model.resources import Resources

_LIST_COLUMNS = (
    Column("NAME", "name"),
    Column("ADDRESS", "address"),
    Column("USER", "user"),
    Column("GROUPS", "groups"),
    Column("LABELS", "labels"),
    Column("TAINTS", "taints", wide=True),
    Column("SCHEDULABLE", "schedulable", wide=True),
    Column("PLACE", "place", wide=True),
)
_VARIABLE_COLUMNS = (Column("VARIABLE", "name"), Column("VALUE", "value"), Column("FROM", "place"))
_MADE_COLUMNS = (Column("MADE OF IT", "name"), Column("VALUE", "value"))


@click.group("inventory", cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def inventory_command() -> None:
    """What the inventory says, after all merging, and where each value comes from. No host is contacted."""


@inventory_command.command("list")
@click.argument("pattern", default="all")
@settings_options
def list_command(pattern: str) -> None:
    """The hosts that PATTERN matches, with what orch knows of them.

    -o json and yaml: {"cluster", "hosts": {NAME: …}, "groups": {NAME: {"hosts", "children"}}}, where a group's
    hosts are its own, as in the inventory; -o name: the hosts' names.
    """
    settings = current_settings()
    problems = Problems()
    inventory = read_inventory(settings.inventory, problems)
    fleet = inventory.fleet(problems)
    hosts = fleet.select(pattern)
    if settings.output in {"json", "yaml"}:
        _print_document(settings, _listing(inventory, fleet, hosts))
    else:
        emit(settings, [], [_shown(inventory, host) for host in hosts], _LIST_COLUMNS)


@inventory_command.command("graph")
@click.argument("pattern", default="all")
@settings_options
def graph_command(pattern: str) -> None:
    """The tree of groups and hosts: of one group, or of all with only the hosts that PATTERN matches."""
    settings = current_settings()
    inventory = read_inventory(settings.inventory, Problems())
    if pattern in inventory.members:
        branch = grow(inventory.tree, inventory.members, pattern)
    else:
        branch = grow(inventory.tree, inventory.members).only(_select(inventory, pattern))
    if settings.output in {"json", "yaml"}:
        _print_document(settings, msgspec.to_builtins(branch))
    else:
        click.echo("\n".join(_names(branch) if settings.output == "name" else branch.lines()))


@inventory_command.command("host")
@click.argument("name")
@settings_options
def host_command(name: str) -> None:
    """Every variable of one host, where it comes from, and what orch makes of them. Secrets are shown as ….

    A variable that orch does not act on and that cannot be rendered is shown with its error.
    """
    settings = current_settings()
    problems = Problems()
    inventory = read_inventory(settings.inventory, problems)
    if name not in inventory.tree.places:
        near = nearest(name, inventory.tree.places)
        raise UsageError(
            f"no host is called {name!r} in {inventory.source}" + (f"; did you mean {near!r}?" if near else "")
        )
    host = inventory.host(name, problems)
    told = tell_variables(inventory, name, host.login)
    if settings.output in {"json", "yaml"}:
        said = {"name": name, "variables": [_said(t) for t in told], **_made(inventory, host)}
        _print_document(settings, said)
    elif settings.output == "name":
        click.echo("\n".join(t.name for t in told))
    else:
        _print_host(settings, told, host)


@inventory_command.command("check")
@settings_options
def check_command() -> int:
    """Read everything, render everything for every host, and print all errors there are. Exit status 2 for any."""
    settings = current_settings()
    problems = Problems(keep=True)
    try:
        inventory = read_inventory(settings.inventory, problems)
    except InputError as error:
        # Without hosts or with groups in a circle there is nothing more to look at.
        problems.add(error)
        return _conclude(settings, problems, None)
    inventory.fleet(problems)
    for host in inventory.tree.places:
        inventory.render_all(host, problems)
    return _conclude(settings, problems, inventory)


def _conclude(settings: Settings, problems: Problems, inventory: Inventory | None) -> int:
    found = problems.found()
    if settings.output in {"json", "yaml"}:
        _print_document(settings, [{"file": e.file, "line": e.line, "message": e.message} for e in found])
    else:
        for error in found:
            warn(str(error))
        if found:
            warn(_count(len(found), "error"))
        elif inventory is not None:
            hosts, groups = len(inventory.tree.places), len(inventory.members)
            click.echo(f"{_count(hosts, 'host')}, {_count(groups, 'group')}, no errors")
    if inventory is not None and not settings.quiet:
        for path in inventory.unread:
            warn(f"{path} is encrypted with ansible-vault and was not read")
    return 2 if found else 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _select(inventory: Inventory, pattern: str) -> list[str]:
    return select_names(pattern, list(inventory.tree.places), inventory.members, inventory.source)


def _names(branch: Branch) -> list[str]:
    return list(dict.fromkeys([*branch.hosts, *(host for child in branch.children for host in _names(child))]))


def _groups_of(inventory: Inventory, host: str) -> list[str]:
    return sorted(name for name in inventory.memberships[host] if name != "all")


def _shown(inventory: Inventory, host: Host) -> Row:
    login, node = host.login, host.node
    return {
        "name": host.name,
        "address": "this machine" if login.connection == "local" else _address(host),
        "user": login.user,
        "groups": ",".join(_groups_of(inventory, host.name)),
        "labels": ",".join(f"{key}={value}" for key, value in node.labels.items()),
        "taints": ",".join(map(str, node.taints)),
        "schedulable": "yes" if node.schedulable else "no",
        "place": host.place,
    }


def _address(host: Host) -> str:
    address = f"[{host.login.address}]" if ":" in host.login.address and host.login.port else host.login.address
    return f"{address}:{host.login.port}" if host.login.port else address


def _listing(inventory: Inventory, fleet: Fleet, hosts: list[Host]) -> Row:
    names = {host.name for host in hosts}
    own = {name: grow(inventory.tree, inventory.members, name).hosts for name in inventory.members}
    return {
        "cluster": fleet.cluster,
        "container_range": str(fleet.ranges.containers),
        "service_range": str(fleet.ranges.services),
        "hosts": {host.name: _made(inventory, host) for host in hosts},
        "groups": {
            name: {"hosts": [h for h in own[name] if h in names], "children": children_of(inventory.tree, name)}
            for name in inventory.members
        },
    }


def _made(inventory: Inventory, host: Host) -> Row:
    return {
        "place": host.place,
        "groups": _groups_of(inventory, host.name),
        "login": tell_login(host.login),
        "node": _told_node(host.node),
    }


def _told_node(node: NodeSpec) -> Row:
    def amount(found: Resources) -> Row:
        return {"cpus": found.millicpus / 1000 or None, "memory": found.memory or None}

    return {
        "labels": dict(node.labels),
        "taints": [str(taint) for taint in node.taints],
        "schedulable": node.schedulable,
        "capacity": amount(node.capacity),
        "reserved": amount(node.reserved),
    }


def _said(told: Told) -> Row:
    said = {"name": told.name, "value": told.value, "from": told.place}
    return {**said, "error": told.error} if told.error else said


def _print_host(settings: Settings, told: list[Told], host: Host) -> None:
    rows = [{"name": t.name, "value": t.error or _text(t.value), "place": t.place} for t in told]
    table(_VARIABLE_COLUMNS, rows, color=settings.color)
    click.echo()
    node = host.node
    made = {
        **tell_login(host.login),
        "labels": ",".join(f"{key}={value}" for key, value in node.labels.items()),
        "taints": ",".join(map(str, node.taints)),
        "schedulable": "yes" if node.schedulable else "no",
        "capacity": _amount(node.capacity),
        "reserved": _amount(node.reserved),
    }
    table(
        _MADE_COLUMNS, [{"name": name, "value": value} for name, value in made.items() if value], color=settings.color
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _amount(amount: Resources) -> str:
    parts = [f"{format_cpus(amount.millicpus)} cpus"] if amount.millicpus else []
    return ", ".join([*parts, f"{format_memory(amount.memory)} memory"] if amount.memory else parts)


def _print_document(settings: Settings, data: Any) -> None:
    if settings.output == "json":
        print_json(data)
        return
    import yaml

    click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
