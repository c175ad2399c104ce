"""The master's socket: HTTP with JSON, for whoever may open it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import psutil
from aiohttp import web

from orch import __version__
from orch.api.wire import SOCKET, Done, Failed, Finished, Planned, Progress, Status, Waits, Wish, from_wire
from orch.errors import OrchError
from orch.master.executor import Outcome
from orch.master.follow import apply, empty
from orch.master.master import Master
from orch.model.plan import Plan
from orch.model.replica import Replica

_LARGEST = 64 << 20
"""Bytes of a request: a stack with its secrets."""


@asynccontextmanager
async def serving(master: Master, folder: Path) -> AsyncIterator[None]:
    """Raises OSError when the socket cannot be made. Whoever serves holds the folder's lock, so that a socket that is
    there already is one that a killed master left."""
    runner = web.AppRunner(_app(master, folder), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    path = folder / SOCKET
    path.unlink(missing_ok=True)
    await web.UnixSite(runner, str(path)).start()
    path.chmod(0o600)
    try:
        yield
    finally:
        await runner.cleanup()
        path.unlink(missing_ok=True)


def _app(master: Master, folder: Path) -> web.Application:
    app = web.Application(client_max_size=_LARGEST)
    api = _Api(master, folder)
    app.add_routes(
        [
            web.get("/v1/status", api.status),
            web.get("/v1/view", api.view),
            web.get("/v1/watch", api.watch),
            web.post("/v1/apply", api.apply),
            web.post("/v1/empty", api.empty),
        ]
    )
    return app


class _Api:
    def __init__(self, master: Master, folder: Path) -> None:
        self._master, self._folder = master, folder

    async def status(self, request: web.Request) -> web.Response:
        process = psutil.Process()
        used = process.cpu_times()
        return _json(
            Status(
                version=__version__,
                pid=process.pid,
                cluster=self._master.cluster,
                memory=process.memory_info().rss,
                cpu=used.user + used.system,
                store=sum(file.stat().st_size for file in self._folder.iterdir() if file.is_file()),
                health=self._master.health(),
            )
        )

    async def view(self, request: web.Request) -> web.Response:
        return _json(self._master.view())

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """A view, and another whenever something has changed. Whoever reads slowly gets fewer, always the latest."""
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        last = b""
        with suppress(ConnectionResetError):  # Whoever watched has gone.
            while True:
                line = msgspec.json.encode(self._master.view()) + b"\n"
                if line != last:
                    await response.write(line)
                last = line
                await self._master.moved()
        return response

    async def empty(self, request: web.Request) -> web.Response:
        stacks = msgspec.json.decode(await request.read(), type=tuple[str, ...])
        return _json(await empty(self._master, stacks))

    async def apply(self, request: web.Request) -> web.StreamResponse:
        try:
            wish = msgspec.json.decode(await request.read(), type=Wish)
            changes = from_wire(wish.changes)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        teller = _Teller(response)
        try:
            applied = await apply(self._master, changes, teller, stacks=wish.stacks, wait_seconds=wish.wait_seconds)
            teller.tell(Finished(applied))
        except OrchError as error:
            teller.tell(Failed(type(error).__name__, str(error)))
        except ConnectionResetError:  # Whoever asked has gone; what was asked for is done all the same.
            return response
        with suppress(ConnectionResetError):
            await teller.flush()
            await response.write_eof()
        return response


class _Teller:
    """Hands progress on. What a slow reader has not taken yet is gathered: it is no more than an apply has to say."""

    def __init__(self, response: web.StreamResponse) -> None:
        self._response = response
        self._lines = bytearray()

    def tell(self, progress: Progress) -> None:
        self._lines += msgspec.json.encode(progress) + b"\n"

    async def flush(self) -> None:
        lines, self._lines = bytes(self._lines), bytearray()
        if lines:
            await self._response.write(lines)

    def planned(self, plan: Plan) -> None:
        self.tell(Planned(plan))

    def done(self, outcome: Outcome) -> None:
        self.tell(Done(outcome))

    def waiting(self, replicas: Sequence[Replica]) -> None:
        self.tell(Waits(tuple(replicas)))


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
