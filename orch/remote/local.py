"""The master's own machine, for `ansible_connection: local`: processes instead of channels, figures from psutil."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import cast

import msgspec

from orch.errors import CommandError
from orch.remote.pipe import Pipe, Wire


class Figures(msgspec.Struct, frozen=True):
    """Memory and disk in bytes, CPU in thousandths of a core; `disk_free` is None where there is no such folder."""

    cores: int
    memory: int
    memory_used: int
    load: float
    disk_free: int | None
    millicpus_used: int


class _Process(asyncio.SubprocessProtocol):
    """asyncio's side of a Wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._wire.received(data, fd == 2)

    def process_exited(self) -> None:
        code = self._transport.get_returncode() if self._transport else None
        # As the shell has it: killed by signal N is 128 + N.
        self._wire.exited(128 - code if code is not None and code < 0 else code)

    def pause_writing(self) -> None:
        self._wire.writable.clear()

    def resume_writing(self) -> None:
        self._wire.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost(exc)
        if self._transport is not None:
            self._transport.close()


class _LocalPipe:
    def __init__(self, transport: asyncio.SubprocessTransport) -> None:
        self._transport = transport
        self._stdin = cast(asyncio.WriteTransport, transport.get_pipe_transport(0))

    def write(self, data: bytes) -> None:
        if not self._stdin.is_closing():
            self._stdin.write(data)

    def write_eof(self) -> None:
        self._stdin.close()

    def pause_reading(self) -> None:
        for transport in self._outputs():
            transport.pause_reading()

    def resume_reading(self) -> None:
        for transport in self._outputs():
            transport.resume_reading()

    def _outputs(self) -> list[asyncio.ReadTransport]:
        return [cast(asyncio.ReadTransport, self._transport.get_pipe_transport(fd)) for fd in (1, 2)]

    def abort(self) -> None:
        # Not by closing the transport, which would look for the status itself, and asyncio then misses it.
        if self._transport.get_returncode() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._transport.get_pid(), signal.SIGHUP)
                os.kill(self._transport.get_pid(), signal.SIGKILL)
        for pipe in map(self._transport.get_pipe_transport, (0, 1, 2)):
            if pipe is not None:
                pipe.close()


async def open_process(host: str, command: str) -> tuple[Pipe, Wire]:
    """`command` is read by /bin/sh, in a session of its own. Raises CommandError when there is no such shell."""
    wire = Wire()
    try:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Process(wire), "/bin/sh", "-c", command, start_new_session=True
        )
    except OSError as error:
        raise CommandError(host, f"/bin/sh cannot be started here: {error.strerror}") from error
    return _LocalPipe(transport), wire


class Gauge:
    """Figures of this machine; CPU use is what lies between making it and reading it."""

    def __init__(self) -> None:
        import psutil  # Only local hosts need it, and it takes a while to import.

        self._psutil = psutil
        psutil.cpu_percent()

    def read(self, folder: str) -> Figures:
        """`folder`: whose disk is meant."""
        memory = self._psutil.virtual_memory()
        cores = self._psutil.cpu_count() or 1
        return Figures(
            cores=cores,
            memory=memory.total,
            memory_used=memory.total - memory.available,
            load=self._psutil.getloadavg()[0],
            disk_free=self._psutil.disk_usage(folder).free if os.path.isdir(folder) else None,
            millicpus_used=round(self._psutil.cpu_percent() * cores * 10),
        )
