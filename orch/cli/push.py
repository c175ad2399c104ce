"""What `orch image push` does, and tells of it."""

from __future__ import annotations

import asyncio
import sys
import tarfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from orch.cli.fleet import open_pool
from orch.cli.output import note, print_json, warn
from orch.cli.settings import Settings
from orch.controllers.images import LOCAL, choose_source, lacking
from orch.errors import HostError, InputError, RefusedError, UsageError
from orch.inventory.fleet import Fleet
from orch.inventory.hosts import Host
from orch.model.images import complete_image
from orch.model.quantities import show_memory
from orch.podman.images import Image, archive_images, check_image_name

if TYPE_CHECKING:
    from orch.master.images import Cargo, Look, Push
    from orch.remote.pool import Pool

_DRAW_SECONDS = 0.2
_FEW = 10
_MANIFEST = 16 << 20


class Order(msgspec.Struct, frozen=True):
    """What the command line asks for: images by name, or those in `file`; `source` None is wherever they are.
    `guessed`: the last of several names may have been meant to be a pattern."""

    images: tuple[str, ...]
    targets: tuple[Host, ...]
    source: str | None
    file: Path | None
    guessed: bool = False


class Row(msgspec.Struct, frozen=True):
    """What became of one image on one node."""

    image: str
    node: str
    state: Literal["sent", "there", "failed"]
    error: str | None = None


async def push_images(settings: Settings, fleet: Fleet, order: Order) -> int:
    """The exit status. Raises RefusedError before anything is sent when an image is nowhere."""
    from orch.master.images import look

    try:
        names = [checked_name(name) for name in order.images]
    except UsageError as error:
        raise UsageError(f"{error}{_no_pattern(fleet, order, str(error))}") from None
    async with open_pool(settings) as pool:
        # Whoever is no target may still have an image.
        asked = order.targets if order.file or order.source == LOCAL else fleet.hosts
        local, seen = await asyncio.gather(_local_images(pool, order), look(pool, asked))
        try:
            cargos = _from_archive(order.file) if order.file else _from_podman(names, local, seen, order.source)
        except RefusedError as error:
            raise RefusedError(f"{error}{_no_pattern(fleet, order, str(error))}") from None
        report = Report(settings)
        for cargo, source in cargos:
            await _push(pool, fleet, order, cargo, source, seen, report)
    return report.conclude()


def _no_pattern(fleet: Fleet, order: Order, refusal: str) -> str:
    """What there is, when the image that is refused was perhaps meant to be a host or a pattern."""
    last = order.images[-1]
    of_last = (f"image {complete_image(last)}", f"{last!r} cannot name an image")
    if not order.guessed or len(order.images) < 2 or not any(said in refusal for said in of_last):
        return ""
    hosts = [host.name for host in fleet.hosts]
    more = f" and {len(hosts) - _FEW} more" if len(hosts) > _FEW else ""
    return f". Nor is {last} a host, group or pattern of {fleet.source}; its hosts: {', '.join(hosts[:_FEW])}{more}"


def checked_name(name: str) -> str:
    """Completed. Raises UsageError."""
    try:
        check_image_name(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if "@" in name:
        raise UsageError(f"{name} is named by its digest, which is lost on the way; tag it, and push that name")
    return complete_image(name)


async def _local_images(pool: Pool, order: Order) -> Sequence[Image] | str:
    """Or why they are not known."""
    from orch.master.images import images_of, local_link

    if order.file is not None or order.source not in {None, LOCAL}:
        return "not asked for"
    try:
        return await images_of(local_link(pool))
    except HostError as error:
        return error.reason


def _from_podman(
    names: Iterable[str], local: Sequence[Image] | str, seen: Look, wanted: str | None
) -> list[tuple[Cargo, str]]:
    """What to send, and from where."""
    from orch.master.images import Cargo

    mine, unknown = ({}, {LOCAL: local}) if isinstance(local, str) else ({LOCAL: local}, {})
    places = {**mine, **seen.images}
    found = [(name, choose_source(name, places, wanted, {**unknown, **seen.problems})) for name in names]
    return [(Cargo({name: source.id}, source.size), source.node) for name, source in found]


def _from_archive(file: Path) -> list[tuple[Cargo, str]]:
    from orch.master.images import Cargo

    try:
        with tarfile.open(file) as archive:
            manifest = archive.extractfile("manifest.json")
            found = archive_images(manifest.read(_MANIFEST) if manifest else b"")
        return [(Cargo(found, file.stat().st_size), LOCAL)]
    except OSError as error:
        raise InputError(file, None, f"cannot be read: {error.strerror}") from error
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise InputError(
            file, None, "is no whole archive of images; make one with podman save -o FILE IMAGE"
        ) from error
    except ValueError as error:
        raise InputError(file, None, str(error)) from error


async def _push(pool: Pool, fleet: Fleet, order: Order, cargo: Cargo, source: str, seen: Look, report: Report) -> None:
    """One image, or one archive, to those that lack it."""
    from orch.master.images import Push, local_link

    image = ", ".join(sorted(cargo.images))
    known = [host.name for host in order.targets if host.name in seen.images]
    missing = lacking(cargo.images, seen.images, known)
    for host in order.targets:
        if host.name in seen.problems:
            report.tell(Row(image, host.name, "failed", seen.problems[host.name]))
        elif host.name not in missing:
            report.tell(Row(image, host.name, "there"))
    if not missing:
        return

    def done(node: str, error: str) -> None:
        report.tell(Row(image, node, "failed" if error else "sent", error or None), pushing.passed, began)

    began = time.monotonic()
    pushing = Push(cargo, done)
    targets = [pool.link(host) for host in order.targets if host.name in missing]
    async with report.progress(image, pushing, cargo.size, began):
        if order.file is not None:
            await pushing.from_file(order.file, targets)
        else:
            hosts = {host.name: host for host in fleet.hosts}
            link = local_link(pool) if source == LOCAL else pool.link(hosts[source])
            await pushing.from_link(link, targets)


class Report:
    """Tells of every node once, as soon as it is done; on a terminal also of what is under way."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rows: list[Row] = []
        self._live = not settings.quiet and settings.output == "table" and sys.stderr.isatty()
        self._drawn = False

    def tell(self, row: Row, passed: int = 0, began: float = 0.0) -> None:
        self._rows.append(row)
        self._erase()
        match row.state:
            case "failed":
                warn(f"{row.node}: {row.image}: {row.error}")
            case "there":
                note(self._settings, f"{row.node}: {row.image} is there already")
            case "sent":
                seconds = time.monotonic() - began
                note(self._settings, f"{row.node}: sent {row.image}, {show_memory(passed)} in {seconds:.1f} s")

    def conclude(self) -> int:
        """The exit status."""
        if self._settings.output == "json":
            print_json([msgspec.to_builtins(row) for row in self._rows])
        failed = sum(row.state == "failed" for row in self._rows)
        if not failed:
            return 0
        return 3 if failed < len(self._rows) else 1

    @asynccontextmanager
    async def progress(self, image: str, pushing: Push, size: int, began: float) -> AsyncIterator[None]:
        drawing = asyncio.create_task(self._draw(image, pushing, size, began))
        try:
            yield
        finally:
            drawing.cancel()
            with suppress(asyncio.CancelledError):
                await drawing
            self._erase()

    async def _draw(self, image: str, pushing: Push, size: int, began: float) -> None:
        while self._live:
            await asyncio.sleep(_DRAW_SECONDS)
            rate = pushing.passed / max(time.monotonic() - began, _DRAW_SECONDS)
            nodes = f"{len(pushing.active)} node{'' if len(pushing.active) == 1 else 's'}"
            what = (
                f"{show_memory(pushing.passed)} of {show_memory(max(size, pushing.passed))}, {show_memory(int(rate))}/s"
            )
            click.echo(f"\r\033[K{image}: {'loading' if pushing.sent else what}, {nodes}", nl=False, err=True)
            self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            click.echo("\r\033[K", nl=False, err=True)
            self._drawn = False
