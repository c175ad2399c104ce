"""The protocol of a persistent shell, pure: what is written for one command, and how its end is found.

The command runs in a subshell, so that `exit`, `cd` or a syntax error in it do not end the shell. Its end is
marked on both output streams by a line with 128 random bits that the command is never told; so is the beginning of
a shell's first command, so that what a login shell printed before is not taken for output.
"""

from __future__ import annotations

import shlex
import string

import msgspec

_SIGN = b"\x1e"
_LONGEST_NUMBER = 12
_FIRST = string.digits + string.ascii_letters + "_.,:;@%+=-"


class Result(msgspec.Struct, frozen=True):
    """`seconds` as the master saw it, network included."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")

    @property
    def complaint(self) -> str:
        """What the command said when it failed: its standard error, or else the end of its output."""
        said = self.stderr.decode(errors="replace").strip() or self.text.strip()[-500:]
        return said or f"exit status {self.status}"


def frame(script: str, stdin: str, nonce: str, *, first: bool = False) -> bytes:
    """What to write to the shell so that it runs `script` with `stdin` as its input.

    `nonce`: 32 hex digits, new for every command. `first`: mark the beginning too, with the shell's process id.
    Raises ValueError for text that no shell can take.
    """
    if "\0" in stdin:
        raise ValueError("commands and their input cannot contain a NUL character")
    if stdin and not stdin.endswith("\n"):
        stdin += "\n"
    end = _end_of(stdin, nonce)
    source = f"<<'{end}'\n{stdin}{end}\n" if stdin else "</dev/null\n"
    start = beginning(nonce) if first else ""
    return f"{start}(eval {quoted(script)}) {source}{_marks(nonce, '$?')}\n".encode(errors="surrogateescape")


def _end_of(stdin: str, nonce: str) -> str:
    """The line that ends `stdin`. dash compares each line with it from the start, and where the first byte that differs
    is no ASCII it loses that byte: so no line begins as the end does, or, where lines begin with everything, at least
    with less of it than a line of random digits."""
    begun = {line[:1] for line in stdin.split("\n")}
    return next((first for first in _FIRST if first not in begun), "") + nonce


def stream_line(script: str, nonce: str, *, wants_stdin: bool) -> bytes:
    """One line for a shell of its own: marks the beginning, runs `script` and ends with its status.

    The shell reads the line to its end before it runs any of it; what is written after the mark has come back is the
    script's input. Raises ValueError for text that no shell can take.
    """
    source = "" if wants_stdin else " </dev/null"
    return f"{beginning(nonce)}eval {quoted(script)}{source}; exit $?\n".encode(errors="surrogateescape")


def beginning(nonce: str) -> str:
    """Shell text that marks both streams, the output's with the shell's process id."""
    return f"{_marks(nonce, '$$')}; "


def quoted(script: str) -> str:
    if "\0" in script:
        raise ValueError("commands and their input cannot contain a NUL character")
    return shlex.quote(script)


def _marks(nonce: str, number: str) -> str:
    return f"printf '\\036{nonce} %d\\036' {number}; printf '\\036{nonce} 0\\036' >&2"


class Mark:
    """Finds one mark in one stream that comes in pieces; keeps what came before it and after it."""

    def __init__(self, nonce: str) -> None:
        self._mark = _SIGN + nonce.encode()
        self._at = -1
        self.data = bytearray()
        self.found = False
        self.number = 0
        self.rest = b""

    def feed(self, data: bytes) -> bool:
        """Whether the mark has come whole. Raises ValueError when it is broken."""
        searched = max(0, len(self.data) - len(self._mark))
        self.data += data
        if self._at < 0:
            self._at = self.data.find(self._mark, searched)
        if self._at >= 0:
            start = self._at + len(self._mark)
            end = self.data.find(_SIGN, start)
            if end >= 0:
                self.found, self.number = True, int(self.data[start:end])
                self.rest = bytes(self.data[end + 1 :])
                del self.data[self._at :]
            elif len(self.data) > start + _LONGEST_NUMBER:
                raise ValueError("its output broke the frame")
        return self.found

    @property
    def certain(self) -> int:
        """How many of the bytes can be no part of the mark."""
        return self._at if self._at >= 0 else max(0, len(self.data) - len(self._mark))


class Beginning:
    """Waits for the marks of the beginning on both streams; the noise before them is kept for complaints alone."""

    NOISE = 4000

    def __init__(self, nonce: str) -> None:
        self._marks = (Mark(nonce), Mark(nonce))
        self.noise = b""

    def feed(self, data: bytes, *, stderr: bool) -> bool:
        mark = self._marks[stderr]
        if mark.found:
            mark.rest += data
        elif not mark.feed(data) and mark.certain > self.NOISE:
            # Without end, perhaps: only its tail may still hold the mark.
            self.noise = bytes(mark.data[: mark.certain])[-self.NOISE :]
            del mark.data[: mark.certain]
        return self.complete

    @property
    def complete(self) -> bool:
        return all(mark.found for mark in self._marks)

    @property
    def pid(self) -> int:
        return self._marks[0].number

    def rest(self, *, stderr: bool) -> bytes:
        return self._marks[stderr].rest

    def said(self) -> str:
        """What was printed instead of a mark."""
        text = b"\n".join([self.noise, *(bytes(mark.data) for mark in self._marks)])
        return text.decode(errors="replace").strip()


class Collector:
    """Gathers one command's output until both marks of its end have come."""

    def __init__(self, nonce: str, limit: int) -> None:
        """`limit`: bytes kept of each stream; more is an error of the command."""
        self._streams = (Mark(nonce), Mark(nonce))
        self._limit = limit

    def feed(self, data: bytes, *, stderr: bool) -> bool:
        """Whether the command has ended. Raises ValueError when it says too much or the frame is broken."""
        stream = self._streams[stderr]
        if not stream.found:
            stream.feed(data)
            if (len(stream.data) if stream.found else stream.certain) > self._limit:
                raise ValueError(f"printed more than {self._limit >> 20} MiB")
        return self._streams[0].found and self._streams[1].found

    @property
    def status(self) -> int:
        return self._streams[0].number

    @property
    def stdout(self) -> bytes:
        return bytes(self._streams[0].data)

    @property
    def stderr(self) -> bytes:
        return bytes(self._streams[1].data)
