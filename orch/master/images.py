"""Images on nodes: asking for them, and sending one to many at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path

import msgspec

from orch.errors import CommandError, HostError
from orch.inventory.hosts import Host
from orch.inventory.login import Login
from orch.master.said import Said
from orch.model.command import Command
from orch.model.node import NodeSpec
from orch.podman.images import LIST_SECONDS, Image, list_images, load_script, parse_images, remove_images, save_script
from orch.remote.fanout import Fanout, Reader
from orch.remote.link import Link, succeeded
from orch.remote.pool import Pool

STALL_SECONDS = 30.0
"""A node that takes nothing for so long is given up: everyone else waits for it."""

_LOAD_SECONDS = 300.0
_LOAD_RATE = 2e6
"""Bytes a second that podman unpacks on a slow disk; it begins when it has everything."""

_REMOVE_SECONDS = 320.0
_SILENCE_SECONDS = 600.0
"""podman copies a layer to a temporary file before it sends any of it."""

_NO_LIMIT = 10 * 365 * 86_400.0
_CHUNK = 256 << 10
_MEMORY = Path("/dev/shm")


class Cargo(msgspec.Struct, frozen=True):
    """What is sent: `images` (name → id), about `size` bytes."""

    images: Mapping[str, str]
    size: int


class Push:
    """One image, or one archive, on its way from one place to many.

    The source is read once, and no faster than the slowest target takes it in; nothing of it is kept but a few
    megabytes in memory. A target that stalls or fails is given up alone.
    """

    def __init__(self, cargo: Cargo, done: Callable[[str, str], None]) -> None:
        """`done` gets every target's name as it is done with, and why it failed or nothing."""
        self._cargo, self._done = cargo, done
        self._fanout = Fanout()
        self.active: set[str] = set()
        """Targets that are neither done nor given up."""

    @property
    def passed(self) -> int:
        """Bytes sent so far to each of the active."""
        return self._fanout.passed

    @property
    def sent(self) -> bool:
        """Whether all has been sent, so that only the loading is left."""
        return self._fanout.ended

    async def from_link(self, source: Link, targets: Sequence[Link], *, stall: float = STALL_SECONDS) -> None:
        """Returns when all targets are done. Cancelled, it ends what runs at both ends and leaves nothing there."""
        (name,) = self._cargo.images
        folder = _folder_in_memory(self._cargo.size) if source.host.name == LOCAL_HOST else ""
        await self._run(_save(source, save_script(name, folder=folder), self._fanout), targets, stall)

    async def from_file(self, file: Path, targets: Sequence[Link], *, stall: float = STALL_SECONDS) -> None:
        """As `from_link`."""
        await self._run(_read(file, self._fanout), targets, stall)

    async def _run(self, source: Coroutine[None, None, None], targets: Sequence[Link], stall: float) -> None:
        self.active = {target.host.name for target in targets}
        readers = [self._fanout.reader() for _ in targets]
        sending = asyncio.ensure_future(source)
        try:
            async with asyncio.TaskGroup() as group:
                for target, reader in zip(targets, readers, strict=True):
                    group.create_task(self._take(target, reader, stall))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _take(self, target: Link, reader: Reader, stall: float) -> None:
        name, error = target.host.name, ""
        loading = asyncio.ensure_future(_load(target, reader, self._cargo))
        stalled = asyncio.ensure_future(reader.stalled(stall))
        try:
            await asyncio.wait({loading, stalled}, return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                loading.result()
            else:
                error = f"took in nothing for {stall:g} s and was given up; is its disk stuck?"
        except HostError as failure:
            error = failure.reason if failure.host == name else str(failure)
        finally:
            # First of all: nobody is to wait for it while its command is being ended.
            self._fanout.drop(reader)
            loading.cancel()
            stalled.cancel()
            await asyncio.gather(loading, stalled, return_exceptions=True)
        self.active.discard(name)
        self._done(name, error)


async def _save(source: Link, script: str, fanout: Fanout) -> None:
    said = Said()

    def sink(data: bytes, stderr: bool) -> asyncio.Future[None] | None:
        if not stderr:
            return fanout.feed(data)
        said.take(data)
        return None

    try:
        status = await source.stream(script, sink, timeout=_NO_LIMIT, silence=_SILENCE_SECONDS)
        if status != 0:
            raise CommandError(source.host.name, _explain("podman save", str(said), status))
    except BrokenPipeError:
        return  # Nobody reads on, and each has said why.
    except HostError as error:
        fanout.end(error)
    else:
        fanout.end()


async def _read(file: Path, fanout: Fanout) -> None:
    try:
        with file.open("rb") as opened:
            while data := await asyncio.to_thread(opened.read, _CHUNK):
                if (room := fanout.feed(data)) is not None:
                    await room
    except BrokenPipeError:
        return
    except OSError as error:
        fanout.end(CommandError(LOCAL_HOST, f"{file} cannot be read to its end: {error.strerror}"))
    else:
        fanout.end()


async def _load(target: Link, reader: Reader, cargo: Cargo) -> None:
    """Raises HostError, also when afterwards the images are not what was sent."""
    host, names = target.host.name, sorted(cargo.images)
    out, err = Said(), Said()
    seconds = _LOAD_SECONDS + cargo.size / _LOAD_RATE
    try:
        async with asyncio.timeout(None) as limit:

            async def chunks() -> AsyncIterator[bytes]:
                async for chunk in reader.chunks():
                    yield chunk
                limit.reschedule(asyncio.get_running_loop().time() + seconds)

            def sink(data: bytes, stderr: bool) -> None:
                (err if stderr else out).take(data)

            status = await target.stream(load_script(names), sink, stdin=chunks(), timeout=_NO_LIMIT)
    except TimeoutError:
        raise CommandError(host, f"podman load was ended: {seconds:.0f} s after it had everything") from None
    if status != 0:
        raise CommandError(host, _explain("podman load", str(err), status))
    found = str(out).split()
    for name, ident in zip(names, found, strict=False):
        if ident.removeprefix("sha256:") != cargo.images[name]:
            raise CommandError(host, f"has {name} as {ident[:12]} now, which is not what was sent; was it retagged?")
    if len(found) != len(names):
        raise CommandError(host, f"podman load ended well, and does not tell of {', '.join(names)}")


def _explain(what: str, said: str, status: int) -> str:
    last = said.splitlines()[-1] if said else f"exit status {status}"
    if "no space left" in said:
        return f"{what}: {last}; make room under /var/lib/containers and /var/tmp, for example with orch image prune"
    if status == 127:
        return f"{what}: podman is missing; install it with the system's package manager"
    return f"{what}: {last}"


def _folder_in_memory(size: int) -> str:
    """Where podman may put what it otherwise writes to the disk before it sends it, or nothing: no room."""
    import psutil  # Only those who send from here need it, and it takes a while to import.

    try:
        disk = os.statvfs(_MEMORY)
    except OSError:
        return ""
    free = min(disk.f_bavail * disk.f_frsize, psutil.virtual_memory().available)
    return str(_MEMORY) if size * 2 < free else ""


LOCAL_HOST = "this machine"


def local_link(pool: Pool) -> Link:
    """The master's own machine, as the user who runs orch."""
    login = Login(address="", connection="local")
    return pool.link(Host(LOCAL_HOST, login, NodeSpec(LOCAL_HOST, ""), ""))


async def images_of(link: Link) -> tuple[Image, ...]:
    """Raises HostError."""
    result = await link.run(Command(list_images()), timeout=LIST_SECONDS + 10)
    if result.status == 127:
        raise CommandError(link.host.name, "podman is missing; install it with the system's package manager")
    try:
        return parse_images(succeeded(link.host.name, "podman images", result).text)
    except ValueError as error:
        raise CommandError(link.host.name, str(error)) from error


class Look(msgspec.Struct, frozen=True):
    """Node → its images, and for nodes of which they are not known the reason; both in the hosts' order."""

    images: Mapping[str, tuple[Image, ...]]
    problems: Mapping[str, str]


async def look(pool: Pool, hosts: Sequence[Host]) -> Look:
    """Ask all at once; none waits for another."""

    async def one(host: Host) -> tuple[Image, ...] | str:
        try:
            return await images_of(pool.link(host))
        except HostError as error:
            return error.reason

    found = dict(zip([h.name for h in hosts], await asyncio.gather(*map(one, hosts)), strict=True))
    return Look(
        {name: images for name, images in found.items() if not isinstance(images, str)},
        {name: reason for name, reason in found.items() if isinstance(reason, str)},
    )


async def remove(pool: Pool, hosts: Sequence[Host], images: Mapping[str, Sequence[Image]]) -> dict[str, str]:
    """Remove from each host its `images`, one after another; host → why something is left there."""

    async def one(host: Host) -> str:
        complaints = []
        for image in images[host.name]:
            # By its names: by its id alone podman removes none that has several.
            argv = remove_images(image.names or (image.id,))
            try:
                result = await pool.link(host).run(Command(argv), timeout=_REMOVE_SECONDS)
                succeeded(host.name, "podman rmi", result)
            except CommandError as error:
                complaints.append(error.reason)
            except HostError as error:
                return error.reason
        return "; ".join(complaints)

    left = await asyncio.gather(*map(one, hosts))
    return {host.name: reason for host, reason in zip(hosts, left, strict=True) if reason}
