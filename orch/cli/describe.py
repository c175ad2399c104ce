"""`orch describe`, `orch get`: one object, explained, and as it is stored."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from typing import Any

import click
import msgspec

from orch.cli.fleet import load_fleet, open_pool, run_async, warn_of_nodes
from orch.cli.output import age, flat, print_json
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.describe import (
    Description,
    Seen,
    describe_node,
    describe_replica,
    describe_service,
    describe_stack,
    describe_volume,
)
from orch.controllers.stored import stored_objects
from orch.errors import UsageError
from orch.model.quantities import format_cpus, show_memory
from orch.model.replica import Slot
from orch.store.protocol import Changes

KINDS = ("stack", "service", "replica", "node", "volume")
_SIZES = {"memory", "disk_free"}
_SERVICE = re.compile(r"([^/]+)/([^/]+)")
_SLOT = re.compile(r"([^/]+)/([^/]+)\.([1-9]\d{0,5})")

_kind_argument = click.argument("kind", type=click.Choice(KINDS))


@click.command("describe")
@_kind_argument
@click.argument("name")
@settings_options
def describe_command(kind: str, name: str) -> int:
    """All that is known of one object, and why it is as it is.

    NAME: a STACK, a STACK/SERVICE, a STACK/SERVICE.SLOT, a node or a volume.
    """
    settings = current_settings()
    _refuse_tables(settings)
    return run_async(_describe(settings, _describer(kind, name), f"{kind} {name}"))


@click.command("get")
@_kind_argument
@click.argument("name", required=False)
@settings_options
def get_command(kind: str, name: str | None) -> int:
    """Objects as they are stored, in YAML, or with -o json; without NAME all of the kind.

    What is in secrets is not shown.
    """
    settings = current_settings()
    _refuse_tables(settings)
    return run_async(_get(settings, kind, name))


def _refuse_tables(settings: Settings) -> None:
    if settings.output not in {"table", "json", "yaml"}:
        raise UsageError("objects print as text, or with -o json or -o yaml")


def _describer(kind: str, name: str) -> Callable[[Seen], Description | None]:
    """Raises UsageError for a name that cannot be one of the kind."""
    match kind:
        case "stack":
            return lambda seen: describe_stack(seen, name)
        case "service":
            if (service := _SERVICE.fullmatch(name)) is None:
                raise UsageError(f"a service is called STACK/SERVICE, not {name}")
            return lambda seen: describe_service(seen, service[1], service[2])
        case "replica":
            if (slot := _SLOT.fullmatch(name)) is None:
                raise UsageError(f"a replica is called STACK/SERVICE.SLOT, not {name}")
            return lambda seen: describe_replica(seen, Slot(slot[1], slot[2], int(slot[3])))
        case "node":
            return lambda seen: describe_node(seen, name)
        case _:
            return lambda seen: describe_volume(seen, name)


async def _describe(settings: Settings, describer: Callable[[Seen], Description | None], what: str) -> int:
    from orch.api.operations import operations

    fleet = load_fleet(settings)
    async with operations(fleet, settings.state, open_pool(settings), changing=False) as running:
        view, plan = await running.plan(Changes())
    found = describer(Seen(view.desired, view.observed, plan))
    if found is None:
        raise UsageError(f"there is no {what}; `orch get {what.split()[0]}` lists what there is")
    _emit(settings, found)
    warn_of_nodes(view.observed)
    return 0


async def _get(settings: Settings, kind: str, name: str | None) -> int:
    from orch.api.operations import operations

    fleet = load_fleet(settings)
    async with operations(fleet, settings.state, open_pool(settings), changing=False) as running:
        objects = stored_objects(running.desired(Changes()), kind)
    if name is None:
        _dump(settings, list(objects.values()))
    elif name in objects:
        _dump(settings, objects[name])
    else:
        known = ", ".join(objects) or "there are none"
        raise UsageError(f"there is no {kind} {name}; known: {known}")
    return 0


def _emit(settings: Settings, found: Description) -> None:
    if settings.output == "table":
        for line in _lines(found, ""):
            click.echo(line)
    else:
        _dump(settings, found)


def _dump(settings: Settings, found: object) -> None:
    plain = msgspec.to_builtins(found)
    if settings.output == "json":
        print_json(plain)
        return
    import yaml

    click.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), nl=False)


def _lines(found: Description, indent: str) -> Iterator[str]:
    """For people: a line for each thing that is known; lists under their names."""
    width = max((len(key) for key, value in found.items() if not isinstance(value, list)), default=0) + 1
    for key, value in found.items():
        title = key.replace("_", " ")
        if isinstance(value, list) and value:
            yield f"{indent}{title}:"
            for entry in value:
                yield f"{indent}  {_entry(entry)}"
        elif value not in (None, [], {}, ""):
            yield f"{indent}{title + ':':<{width}} {_shown(key, value)}"


def _entry(entry: Any) -> str:
    if not isinstance(entry, dict):
        return flat(entry)
    first, *rest = entry.items()
    told = ", ".join(f"{key} {_shown(key, value)}" for key, value in rest if value not in (None, "", [], {}))
    return f"{flat(first[1])}: {told}" if told else flat(first[1])


def _shown(key: str, value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{k}={v}" if key in {"labels", "options"} else _part(k, v) for k, v in value.items())
        case int() if key in _SIZES:
            return show_memory(value)
        case float() if key.endswith("_at"):
            at = datetime.datetime.fromtimestamp(value, datetime.UTC)
            return f"{at:%Y-%m-%d %H:%M:%S} UTC, {age(value)} ago"
        case _:
            return flat(value)


def _part(key: str, value: Any) -> str:
    """`0.25 cpus`, `64m memory`."""
    if value is None:
        return f"{key} not known"
    return f"{format_cpus(round(value * 1000))} cpus" if key == "cpus" else f"{_shown(key, value)} {key}"
