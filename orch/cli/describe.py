"""`orch describe`, `orch get`: one object, explained, and as it is stored."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
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

Describer = Callable[[Seen], Description | None]
KINDS = ("stack", "service", "replica", "node", "volume")
IN_STEP = 0.05
"""Seconds, of which one digit after the point is told."""
_SIZES = {"memory", "disk_free"}
_SERVICE = re.compile(r"([^/]+)/([^/]+)")
_SLOT = re.compile(r"([^/]+)/([^/]+)\.([1-9]\d{0,5})")


@click.command("describe")
@click.argument("words", nargs=-1, required=True, metavar="[KIND] NAME")
@settings_options
def describe_command(words: tuple[str, ...]) -> int:
    """All that is known of one object, and why it is as it is.

    NAME: a STACK, a STACK/SERVICE, a STACK/SERVICE.SLOT, a node or a volume. KIND: stack, service, replica, node or
    volume; needed only where a name is that of several objects.
    """
    settings = current_settings()
    _refuse_tables(settings)
    if len(words) > 2:
        raise UsageError(f"describe takes one KIND and one NAME, not {' '.join(words)}")
    kinds, name = ((_checked_kind(words[0]),), words[1]) if len(words) == 2 else (kinds_of(words[0]), words[0])
    return run_async(_describe(settings, {kind: _describer(kind, name) for kind in kinds}, name))


def kinds_of(name: str) -> tuple[str, ...]:
    """What a name may be that of, by its shape."""
    if _SLOT.fullmatch(name):
        return ("replica",)
    return ("service",) if _SERVICE.fullmatch(name) else ("stack", "node", "volume")


def _checked_kind(word: str) -> str:
    """Raises UsageError."""
    if word in KINDS:
        return word
    near = get_close_matches(word.lower(), KINDS, n=1)
    advice = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(KINDS)}"
    raise UsageError(f"there is no kind {word!r}; {advice}")


@click.command("get")
@click.argument("kind")
@click.argument("name", required=False)
@settings_options
def get_command(kind: str, name: str | None) -> int:
    """Objects as they are stored, in YAML, or with -o json; without NAME all of the kind.

    KIND: stack, service, replica, node or volume. What is in secrets is not shown, nor what is as it is by default.
    """
    settings = current_settings()
    _refuse_tables(settings)
    return run_async(_get(settings, _checked_kind(kind), name))


def _refuse_tables(settings: Settings) -> None:
    if settings.output not in {"table", "json", "yaml"}:
        raise UsageError("objects print as text, or with -o json or -o yaml")


def _describer(kind: str, name: str) -> Describer:
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


async def _describe(settings: Settings, describers: Mapping[str, Describer], name: str) -> int:
    from orch.api.operations import operations

    fleet = load_fleet(settings)
    async with operations(fleet, settings.state, open_pool(settings), changing=False) as running:
        view, plan = await running.plan(Changes())
    seen = Seen(view.desired, view.observed, plan)
    found = only_one({kind: describe(seen) for kind, describe in describers.items()}, name)
    _emit(settings, found)
    # Of a node, and of what is on one, the description says it.
    warn_of_nodes(view.observed, told={found.get("node", "")})
    return 0


def only_one(described: Mapping[str, Description | None], name: str) -> Description:
    """By kind. Raises UsageError when there is none, or more than one."""
    found = {kind: description for kind, description in described.items() if description is not None}
    match list(found.values()):
        case [only]:
            return only
        case []:
            lists = " or ".join(f"`orch get {kind}`" for kind in described)
            raise UsageError(f"there is no {' or '.join(described)} {name}; {lists} lists what there is")
        case _:
            ways = " or ".join(f"`orch describe {kind} {name}`" for kind in found)
            raise UsageError(f"{name} is a {' and a '.join(found)}; say {ways}")


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
        for line in lines(found, ""):
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


def lines(found: Description, indent: str) -> Iterator[str]:
    """For people: a line for each thing that is known; lists under their names."""
    width = max((len(key) for key, value in found.items() if not isinstance(value, list)), default=0) + 1
    for key, value in found.items():
        title = key.replace("_", " ")
        if isinstance(value, list) and value:
            yield f"{indent}{title}:"
            for entry in value:
                yield f"{indent}  {_entry(entry)}"
        elif key == "clock_skew" and value is not None:
            yield f"{indent}{'clock:':<{width}} {clock(value, found['clock_error'])}"
        elif key != "clock_error" and value not in (None, [], {}, ""):
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
        case {"cpus": _, "memory": _} if key not in {"labels", "options"}:
            return ", ".join(_part(k, v) for k, v in value.items() if v) or ("-" if None in value.values() else "none")
        case dict():
            return ", ".join(f"{k}={v}" for k, v in value.items())
        case int() if key in _SIZES:
            return show_memory(value)
        case float() if key.endswith("_at"):
            at = datetime.datetime.fromtimestamp(value, datetime.UTC)
            return f"{at:%Y-%m-%d %H:%M:%S} UTC, {age(value)} ago"
        case _:
            return flat(value)


def clock(skew: float, error: float) -> str:
    """`0.3 s ahead`, `12 s behind`; `in step` as far as can be told, and that it matters to people."""
    if abs(skew) <= max(error, IN_STEP):
        return "in step"
    return f"{abs(skew):.{0 if abs(skew) >= 10 else 1}f} s {'ahead' if skew > 0 else 'behind'}"


def _part(key: str, value: Any) -> str:
    """`0.25 cpus`, `64m memory`."""
    return f"{format_cpus(round(value * 1000))} cpus" if key == "cpus" else f"{_shown(key, value)} {key}"
