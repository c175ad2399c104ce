"""One input for many readers, each at its own pace."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from types import TracebackType

from orch.errors import UsageError

_CHUNK = 64 << 10
_IN_MEMORY = 1 << 20


class SharedInput:
    """Reads a descriptor to its end, into a temporary file from which everyone reads: a slow host holds up no other,
    and one that starts late misses nothing. Use as `async with`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by __aexit__
        self._size, self._ended = 0, False
        self._error: OSError | None = None
        self._grown = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SharedInput:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._file.close()

    async def chunks(self) -> AsyncIterator[bytes]:
        """From the beginning. Raises UsageError where the input breaks off."""
        offset = 0
        while True:
            async with self._grown:
                while offset == self._size and not self._ended:
                    await self._grown.wait()
            if offset == self._size:
                if self._error is not None:
                    raise UsageError(f"the standard input cannot be passed on whole: {self._error.strerror}")
                return
            self._file.seek(offset)
            data = self._file.read(_CHUNK)
            offset += len(data)
            yield data

    async def _read(self) -> None:
        try:
            while data := await _chunk(self._descriptor):
                self._file.seek(0, os.SEEK_END)
                self._file.write(data)
                async with self._grown:
                    self._size += len(data)
                    self._grown.notify_all()
        except OSError as error:  # It cannot be read, or there is no room for it.
            self._error = error
        finally:
            async with self._grown:
                self._ended = True
                self._grown.notify_all()


async def _chunk(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:  # A plain file, which epoll does not take and which never keeps anyone waiting.
        return os.read(descriptor, _CHUNK)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _CHUNK)
