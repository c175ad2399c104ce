"""What commands on many hosts print, as people or programs want to see it."""

from __future__ import annotations

import os
import re
import select
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Protocol, TextIO

import msgspec

Sink = Callable[[bytes, bool], None]

MAX_COLLECTED = 64 << 20
"""Bytes of each stream of each host that -o json holds in memory."""

_LONGEST_LINE = 64 << 10
_IN_MEMORY = 256 << 10
# What a host sends must not steer the terminal: colours may stay, all other control characters but tab are shown.
_CONTROL = re.compile(rb"(\x1b\[[0-9;]*m)|\xc2[\x80-\x9f]|[\x00-\x08\x0b-\x1f\x7f]")


class HostResult(msgspec.Struct, frozen=True):
    """`rc` is None when the host could not be reached or the command had no end; `error` then says why."""

    host: str
    rc: int | None
    stdout: str
    stderr: str
    seconds: float
    error: str | None


class Printer(Protocol):
    def sink(self, host: str) -> Sink:
        """Takes what the host's command prints. Raises ValueError when it can take no more."""
        ...

    def collected(self, host: str) -> tuple[str, str]:
        """What `HostResult` should have of the output."""
        ...

    def finish(self, result: HostResult) -> None:
        """The host is done."""
        ...


class Collected:
    """Prints nothing and keeps everything."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._streams = {host: (bytearray(), bytearray()) for host in hosts}

    def sink(self, host: str) -> Sink:
        def take(data: bytes, stderr: bool) -> None:
            stream = self._streams[host][stderr]
            stream.extend(data[: MAX_COLLECTED - len(stream)])
            if len(stream) >= MAX_COLLECTED:
                raise ValueError(f"printed more than {MAX_COLLECTED >> 20} MiB, which -o json would hold in memory")

        return take

    def collected(self, host: str) -> tuple[str, str]:
        stdout, stderr = self._streams.pop(host)
        return stdout.decode(errors="replace"), stderr.decode(errors="replace")

    def finish(self, result: HostResult) -> None:
        """`collected` had everything."""


class Output:
    """One of this process's own streams, past its buffer: a thread that never gets to the end of a write must hold no
    lock that the end of the program wants. One that is closed takes everything, as `print` has it."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.on_terminal = stream is not None and stream.isatty()

    def write(self, data: bytes) -> None:
        """Returns when all is written. Raises BrokenPipeError, whatever the reason: nobody reads on."""
        if self._stream is None:
            return
        try:
            self._stream.flush()
            descriptor, rest = self._stream.fileno(), memoryview(data)
            while rest:
                try:
                    rest = rest[os.write(descriptor, rest) :]
                except BlockingIOError:  # Whoever else has it open made it so.
                    select.select([], [descriptor], [])
        except OSError as error:
            raise BrokenPipeError(error.errno, error.strerror) from error


class Lines:
    """Cuts one stream into lines and prints each with its host's name before it."""

    def __init__(self, prefix: bytes, write: Callable[[bytes], object], *, shown: bool) -> None:
        """`shown`: make control characters visible."""
        self._prefix, self._write, self._shown = prefix, write, shown
        self._partial = b""

    def feed(self, data: bytes) -> None:
        *lines, partial = (self._partial + data).split(b"\n")
        while len(partial) > _LONGEST_LINE:
            lines.append(partial[:_LONGEST_LINE])
            partial = partial[_LONGEST_LINE:]
        self._partial = partial
        if lines:
            self._write(b"".join(self._prefix + self._visible(line) + b"\n" for line in lines))

    def end(self) -> None:
        if self._partial:
            self.feed(b"\n")

    def _visible(self, line: bytes) -> bytes:
        if not self._shown:
            return line
        return _CONTROL.sub(lambda m: m[1] or b"^" + bytes([m[0][0] ^ 0x40]), line.removesuffix(b"\r"))


class Live:
    """Prints lines as they come, whichever host they are from."""

    def __init__(self, hosts: Sequence[str]) -> None:
        width = max(map(len, hosts), default=0)
        self._out, self._err = Output(sys.stdout), Output(sys.stderr)
        self._lines = {host: self._both(f"{host:<{width}} | ".encode()) for host in hosts}

    def _both(self, prefix: bytes) -> tuple[Lines, Lines]:
        return (
            Lines(prefix, self._out.write, shown=self._out.on_terminal),
            Lines(prefix, self._err.write, shown=self._err.on_terminal),
        )

    def sink(self, host: str) -> Sink:
        both = self._lines[host]
        return lambda data, stderr: both[stderr].feed(data)

    def collected(self, host: str) -> tuple[str, str]:
        return "", ""

    def finish(self, result: HostResult) -> None:
        for lines in self._lines[result.host]:
            lines.end()
        if result.error is not None:
            self._err.write(f"orch: {result.host}: {result.error}\n".encode(errors="backslashreplace"))


class Ordered:
    """Prints host after host: the first that is not done as it comes, those after it when their turn comes."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._live = Live(hosts)
        self._waiting = list(hosts)
        self._kept: dict[str, IO[bytes]] = {}
        self._results: dict[str, HostResult] = {}

    def sink(self, host: str) -> Sink:
        def take(data: bytes, stderr: bool) -> None:
            if host == self._waiting[0]:
                self._live.sink(host)(data, stderr)
            else:
                if host not in self._kept:
                    self._kept[host] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by _release
                try:
                    self._kept[host].write(b"%d %d\n" % (stderr, len(data)) + data)
                except OSError as error:
                    # Perhaps a part has been written: none of it can be told from the rest any more.
                    self._drop(host)
                    why = f"{error.strerror}; set TMPDIR, or use --live"
                    raise ValueError(f"its output cannot be kept until its turn comes: {why}") from error

        return take

    def collected(self, host: str) -> tuple[str, str]:
        return "", ""

    def finish(self, result: HostResult) -> None:
        self._results[result.host] = result
        while self._waiting and self._waiting[0] in self._results:
            self._live.finish(self._results.pop(self._waiting.pop(0)))
            if self._waiting:
                self._release(self._waiting[0])

    def _drop(self, host: str) -> None:
        with suppress(OSError):
            self._kept.pop(host).close()

    def _release(self, host: str) -> None:
        """Print what a host said while it was not its turn."""
        kept = self._kept.pop(host, None)
        if kept is None:
            return
        with kept:
            kept.seek(0)
            sink = self._live.sink(host)
            while header := kept.readline():
                stderr, size = header.split()
                sink(kept.read(int(size)), stderr == b"1")
