"""A real shell that is sent frames, as a node's would be."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from orch.remote.frames import Collector, frame

SHELLS = [
    (found, *words[1:])
    for words in (("sh",), ("bash", "--posix"), ("busybox", "sh"))
    if (found := shutil.which(words[0]))
]


def nonce(number: int) -> str:
    return f"{number:032x}"


def answer(shell: Sequence[str], *commands: tuple[str, str]) -> list[tuple[int, bytes, bytes]]:
    """Status, output and errors of each (script, input), run one after another by one shell."""
    frames = b"".join(frame(script, stdin, nonce(n)) for n, (script, stdin) in enumerate(commands))
    done = subprocess.run(shell, input=frames, capture_output=True, check=True)
    return split(done.stdout, done.stderr, len(commands))


def split(stdout: bytes, stderr: bytes, count: int) -> list[tuple[int, bytes, bytes]]:
    """What each command printed: everything up to its own marks."""
    found = []
    for number in range(count):
        collector = Collector(nonce(number), 1 << 24)
        mark = f"\x1e{nonce(number)}".encode()
        out, err = (stream.index(b"\x1e", stream.index(mark) + len(mark)) + 1 for stream in (stdout, stderr))
        collector.feed(stdout[:out], stderr=False)
        assert collector.feed(stderr[:err], stderr=True)
        found.append((collector.status, collector.stdout, collector.stderr))
        stdout, stderr = stdout[out:], stderr[err:]
    assert (stdout, stderr) == (b"", b"")
    return found
