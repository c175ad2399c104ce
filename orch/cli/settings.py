"""The options that every command takes, before its name or after it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])
Output = Literal["table", "wide", "json", "yaml", "name"]
_KEY = "orch.settings"


class Settings(msgspec.Struct, frozen=True):
    """`timeout`: seconds that a host may take to let us in; None: whatever suits the command. `accept_new`: trust hosts
    of which no key is known."""

    inventory: tuple[Path, ...] = ()
    state: Path | None = None
    output: Output = "table"
    verbose: bool = False
    quiet: bool = False
    color: bool = False
    timeout: float | None = None
    accept_new: bool = False


def global_options(function: F) -> F:
    """Add the options that every command takes, for the help of orch itself."""
    return _with_options(function, hidden=False)


def settings_options(function: F) -> F:
    """Add the same to a command, whose help does not repeat them. Their values are gathered from wherever they stand;
    the last one counts."""
    return _with_options(function, hidden=True)


def _with_options(function: F, *, hidden: bool) -> F:
    for names, details in reversed(_OPTIONS):
        function = click.option(*names, expose_value=False, callback=_gather, hidden=hidden, **details)(function)
    return function


def _gather(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    given = ctx.find_root().meta.setdefault(_KEY, {})
    if value not in (None, (), False):
        given[parameter.name] = value


def _option(*names: str, **details: Any) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    return names, details


_OPTIONS = (
    _option(
        "-i",
        "--inventory",
        multiple=True,
        metavar="PATH",
        type=click.Path(path_type=Path),
        help="The fleet's inventory; may be repeated. Default: $ORCH_INVENTORY, then ./inventory.yml.",
    ),
    _option(
        "--state",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Where state is kept. Default: $ORCH_STATE, then $XDG_STATE_HOME/orch/CLUSTER.",
    ),
    _option(
        "-o",
        "--output",
        type=click.Choice(["table", "wide", "json", "yaml", "name"]),
        help="How to print.",
    ),
    _option("-v", "--verbose", is_flag=True, help="Say more."),
    _option("-q", "--quiet", is_flag=True, help="Say nothing but results and errors."),
    _option("--no-color", is_flag=True, help="No colours, on a terminal either."),
    _option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        metavar="SECONDS",
        help="How long a host may take to let us in. Default: 10, for serve 4.",
    ),
    _option(
        "--accept-new",
        is_flag=True,
        help="Trust hosts whose key is not known yet, and write it to known_hosts. A changed key is always refused.",
    ),
)


def current_settings() -> Settings:
    """Flags over ORCH_* variables over defaults."""
    given = cast(dict[str, Any], click.get_current_context().find_root().meta.get(_KEY, {}))
    state = given.get("state") or os.environ.get("ORCH_STATE")
    return Settings(
        inventory=tuple(given.get("inventory", ())) or _default_inventory(),
        state=Path(state) if state else None,
        output=given.get("output", "table"),
        verbose=given.get("verbose", False),
        quiet=given.get("quiet", False),
        color=sys.stdout is not None
        and sys.stdout.isatty()
        and not given.get("no_color")
        and not os.environ.get("NO_COLOR"),
        timeout=given.get("timeout"),
        accept_new=given.get("accept_new", False),
    )


def _default_inventory() -> tuple[Path, ...]:
    named = os.environ.get("ORCH_INVENTORY", "")
    return tuple(Path(p) for p in named.split(os.pathsep) if p) or (Path("inventory.yml"),)
