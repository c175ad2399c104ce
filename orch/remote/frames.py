"""The protocol of a persistent shell, pure: what is written for one command, and how its end is found.

The command runs in a subshell, so that `exit`, `cd` or a syntax error in it do not end the shell. Its end is
marked on both output streams by a line with 128 random bits that the command is never told.
"""

from __future__ import annotations

import shlex

import msgspec

_SIGN = "\x1e"


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


def frame(script: str, stdin: str, nonce: str) -> bytes:
    """What to write to the shell so that it runs `script` with `stdin` as its input.

    `nonce`: 32 hex digits, new for every command. Raises ValueError for text that no shell can take.
    """
    if "\0" in script or "\0" in stdin:
        raise ValueError("commands and their input cannot contain a NUL character")
    if stdin and not stdin.endswith("\n"):
        stdin += "\n"
    source = f"<<'{nonce}'\n{stdin}{nonce}\n" if stdin else "</dev/null\n"
    end = f"""printf '\\036{nonce} %d\\036' $?; printf '\\036{nonce}\\036' >&2\n"""
    return f"(eval {shlex.quote(script)}) {source}{end}".encode()


class Collector:
    """Gathers one command's output until both marks have come."""

    def __init__(self, nonce: str, limit: int) -> None:
        """`limit`: bytes kept of each stream; more is an error of the command."""
        self._mark = f"{_SIGN}{nonce}".encode()
        self._streams = (bytearray(), bytearray())
        self._ends = [-1, -1]
        self._limit = limit

    def feed(self, data: bytes, *, stderr: bool) -> bool:
        """Whether the command has ended. Raises ValueError when it says too much or the frame is broken."""
        index = int(stderr)
        stream = self._streams[index]
        searched = max(0, len(stream) - len(self._mark))
        stream += data
        if self._ends[index] < 0:
            self._ends[index] = stream.find(self._mark, searched)
        end = self._ends[index]
        # Without its end, as much as a mark may still prove to be one.
        if (end if end >= 0 else len(stream) - len(self._mark)) > self._limit:
            raise ValueError(f"printed more than {self._limit >> 20} MiB")
        return self._complete()

    def _complete(self) -> bool:
        return all(
            end >= 0 and stream.find(_SIGN.encode(), end + len(self._mark)) > 0
            for end, stream in zip(self._ends, self._streams, strict=True)
        )

    def status(self) -> int:
        start = self._ends[0] + len(self._mark)
        return int(self._streams[0][start : self._streams[0].index(_SIGN.encode(), start)])

    @property
    def stdout(self) -> bytes:
        return self._kept(0)

    @property
    def stderr(self) -> bytes:
        return self._kept(1)

    def _kept(self, index: int) -> bytes:
        end = self._ends[index]
        return bytes(self._streams[index] if end < 0 else self._streams[index][:end])
