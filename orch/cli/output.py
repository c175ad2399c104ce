"""Printing results: tables for people, JSON, YAML and names for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from orch.cli.settings import Settings

Row = dict[str, Any]


class Column(msgspec.Struct, frozen=True):
    """`wide`: only in the wide table. `style`: value → colour, for those values that have one."""

    title: str
    key: str
    wide: bool = False
    style: dict[str, str] = {}


def emit(settings: Settings, data: Sequence[Row], shown: Sequence[Row], columns: Sequence[Column]) -> None:
    """`data` is what programs rely on; `shown` has a text for each column's key, and `name`."""
    match settings.output:
        case "json":
            print_json(data)
        case "yaml":
            import yaml

            click.echo(yaml.safe_dump(list(data), sort_keys=False, allow_unicode=True), nl=False)
        case "name":
            for row in shown:
                click.echo(row["name"])
        case kind:
            table([c for c in columns if kind == "wide" or not c.wide], shown, color=settings.color)


def print_json(data: object) -> None:
    """One document, indented, keys in their order."""
    click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2))


def table(columns: Sequence[Column], rows: Sequence[Row], *, color: bool) -> None:
    """Columns as wide as they need to be, never cut: what people see they can also search for."""
    texts = [[flat(row.get(column.key, "")) for column in columns] for row in rows]
    widths = [max(len(cell) for cell in [c.title, *cells]) for c, *cells in zip(columns, *texts, strict=True)]
    click.echo("  ".join(c.title.ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip())
    for cells in texts:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        if color:
            padded = [
                click.style(pad, fg=c.style[cell]) if cell in c.style else pad
                for c, cell, pad in zip(columns, cells, padded, strict=True)
            ]
        click.echo("  ".join(padded).rstrip(), color=color)


def flat(text: object) -> str:
    """One line, without the control characters that something from a host may contain."""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip() or "-"


def note(settings: Settings, message: str) -> None:
    """Progress, for people, on standard error."""
    if not settings.quiet:
        click.echo(message, err=True)


def warn(message: str) -> None:
    click.echo(f"orch: {message}", err=True)


def age(since: float | None) -> str:
    """`42s`, `7m`, `3h`, `12d`; nothing for None."""
    if since is None:
        return ""
    seconds = max(0, int(time.time() - since))
    for unit, size, upto in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172_800)):
        if seconds < upto:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
