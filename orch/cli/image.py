"""`orch image`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from orch.cli.fleet import load_fleet, open_pool, run_async
from orch.cli.group import Group
from orch.cli.output import Column, Row, emit, note, on_terminal, warn
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.images import LOCAL, Spread, spread, unused, wanted_images
from orch.errors import OrchError, RefusedError, UsageError
from orch.inventory.fleet import Fleet
from orch.inventory.hosts import Host
from orch.model.quantities import show_memory
from orch.model.spec import StackSpec
from orch.podman.images import Image

if TYPE_CHECKING:
    from orch.master.images import Look

_COLUMNS = (
    Column("IMAGE", "name"),
    Column("ID", "id"),
    Column("SIZE", "size"),
    Column("NODES", "nodes"),
    Column("SERVICES", "services"),
)


@click.group("image", cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def image_command() -> None:
    """The container images on the nodes: which are where, and bringing them there without a registry."""


@image_command.command("ls")
@click.argument("pattern", default="all")
@settings_options
def ls(pattern: str) -> int:
    """The images of the nodes that PATTERN matches, and which services are made from them.

    Exit status 3 when some node cannot be asked, 1 when none can.
    """
    settings = current_settings()
    fleet = load_fleet(settings)
    hosts = fleet.select(pattern)
    look = run_async(_look(settings, hosts))
    rows = spread(look.images, _stacks(settings, fleet))
    emit(settings, [_data(row) for row in rows], [_shown(row, len(hosts)) for row in rows], _COLUMNS)
    return _tell_problems(look.problems, len(hosts))


def _data(row: Spread) -> Row:
    fields: Row = msgspec.to_builtins(row)
    return fields


def _shown(row: Spread, hosts: int) -> Row:
    everywhere = len(row.nodes) == hosts > 1
    return {
        "name": row.name or "<none>",
        "id": row.id[:12],
        "size": show_memory(row.size),
        "nodes": f"all {hosts}" if everywhere else ",".join(row.nodes),
        "services": ",".join(row.services),
    }


def _tell_problems(problems: Mapping[str, str], hosts: int) -> int:
    for name, reason in problems.items():
        warn(f"{name}: {reason}")
    if not problems:
        return 0
    return 3 if len(problems) < hosts else 1


async def _look(settings: Settings, hosts: Sequence[Host]) -> Look:
    from orch.master.images import look

    async with open_pool(settings) as pool:
        return await look(pool, hosts)


def _stacks(settings: Settings, fleet: Fleet) -> tuple[StackSpec, ...]:
    from orch.master.runtime import stored_stacks

    return stored_stacks(fleet, settings.state)


@image_command.command("push", short_help="Bring images to nodes that lack them, without a registry.")
@click.argument("words", nargs=-1, metavar="IMAGE... [PATTERN]")
@click.option("--to", "pattern", metavar="PATTERN", help="The nodes, also where an image has the name of a host.")
@click.option("--from", "source", metavar="NODE|local", help="Take the images from there, and nowhere else.")
@click.option(
    "--file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take the images in this archive (`podman save`, `docker save`) instead.",
)
@settings_options
def push(words: tuple[str, ...], pattern: str | None, source: str | None, file: Path | None) -> int:
    """Bring images to the nodes that lack them, from this machine's podman or from a node that has them.

    PATTERN: which nodes, as for `orch run`; default: all. The last of several words is one when the inventory has it.
    An image is read once, goes to all at the same time and is kept nowhere on the way. Broken off and begun again, it
    goes to those that still lack it.

    Exit status 3 when only some nodes have the images now, 1 when none of those that lacked them has, 4 when an image
    is nowhere.
    """
    from orch.cli.push import Order, push_images

    settings = current_settings()
    if settings.output not in {"table", "json"}:
        raise UsageError("push prints text or -o json")
    fleet = load_fleet(settings)
    images, pattern = _split(fleet, words, pattern, 0 if file else 1)
    if file is not None and (images or source):
        raise UsageError("push takes images by name or a --file, and a file has them all")
    if file is None and not images:
        raise UsageError("push needs the name of an image, or --file FILE")
    if source not in {None, LOCAL, *(host.name for host in fleet.hosts)}:
        raise UsageError(f"--from {source}: there is no such host in {fleet.source}; expected one, or {LOCAL}")
    order = Order(images, tuple(fleet.select(pattern or "all")), source, file, guessed=pattern is None)
    return run_async(push_images(settings, fleet, order))


def _split(fleet: Fleet, words: tuple[str, ...], pattern: str | None, least: int) -> tuple[tuple[str, ...], str | None]:
    """(images, pattern) of what stands on the command line; `least` of the words are images in any case."""
    if pattern is not None or len(words) <= least:
        return words, pattern
    try:
        fleet.select(words[-1])
    except OrchError:
        return words, None
    return words[:-1], words[-1]


@image_command.command("prune")
@click.argument("pattern", default="all")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say which.")
@settings_options
def prune(pattern: str, yes: bool, dry_run: bool) -> int:
    """Remove images from the nodes that PATTERN matches: those of which there is no container, orch's or not, and that
    no service of this state is made from.

    Exit status 3 when some node could not be asked or podman refused to remove an image, 1 when all did.
    """
    settings = current_settings()
    fleet = load_fleet(settings)
    hosts = fleet.select(pattern)
    look = run_async(_look(settings, hosts))
    wanted = wanted_images(_stacks(settings, fleet))
    found = {node: doomed for node, images in look.images.items() if (doomed := unused(images, wanted))}
    for node, images in found.items():
        for image in images:
            click.echo(f"{node}: {', '.join(image.names) or image.id[:12]} ({show_memory(image.size)})")
    status = _tell_problems(look.problems, len(hosts))
    if dry_run or not found:
        note(settings, "nothing was removed" if found else f"there is nothing to remove{_kept(look)}")
        return status
    count = sum(map(len, found.values()))
    what = f"{count} image{'' if count == 1 else 's'}"
    if not yes:
        if not on_terminal():
            raise UsageError("prune removes images and nobody can be asked here; add --yes")
        if not click.confirm(f"Remove {what}?", err=True):
            raise RefusedError("nothing was removed")
    failed = run_async(_remove(settings, [host for host in hosts if host.name in found], found))
    for node, reason in failed.items():
        warn(f"{node}: {reason}")
    note(settings, f"removed {what}" if not failed else f"of {what} some are left")
    if failed:
        return 3 if len(failed) < len(found) else 1
    return status


def _kept(look: Look) -> str:
    """What may look removable and is not."""
    kept = {image.id for images in look.images.values() for image in images if image.read_only}
    if not kept:
        return ""
    one = len(kept) == 1
    return (
        f"; {len(kept)} image{'' if one else 's'} {'lies' if one else 'lie'} in read-only stores of the nodes "
        "(additionalimagestores of storage.conf), from which podman removes nothing"
    )


async def _remove(settings: Settings, hosts: Sequence[Host], found: Mapping[str, Sequence[Image]]) -> dict[str, str]:
    from orch.master.images import remove

    async with open_pool(settings) as pool:
        return await remove(pool, hosts, found)
