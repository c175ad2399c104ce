"""The watch of a node's figures: the text of the loop that runs there, and the pure reading of its lines."""

from __future__ import annotations

import msgspec

from orch.model.instant import Instant
from orch.observe.figures import CpuTime, cpu_time, decimal, memory, memory_used
from orch.observe.texts import script

INTERVAL_SECONDS = 2.0

_KIND = "node"
"""The first word of a frame; what else comes to share the channel begins in another way."""


class Frame(msgspec.Struct, frozen=True):
    """A node's figures when the master read them, `at`. Two frames give the CPU use between them (`cpu_between`).

    `memory` and `memory_used` are bytes and respect the limits of the node's own cgroup; `load` is the one-minute
    load average.
    """

    at: Instant
    cpu: CpuTime
    memory: int
    memory_used: int
    load: float


def watch_script(interval: float = INTERVAL_SECONDS) -> str:
    """Shell text that prints a line for `parse_frame` every `interval` seconds, until its output is closed."""
    return script({"interval": f"{interval:g}"}, "figures.sh", "watch.sh")


def parse_frame(line: str, now: Instant) -> Frame:
    """One line, with or without its end; `now`: the master's clock when it came. Figures that a newer loop may add
    are passed over. Raises ValueError when it is no frame."""
    kind, *entries = line.rstrip("\n").split("\t")
    if kind != _KIND:
        raise ValueError(f"not a frame of figures: {line[:80]!r}")
    pairs = (entry.partition(" ") for entry in entries)
    facts = {key: value for key, _, value in pairs if value}
    try:
        return Frame(
            at=now,
            cpu=cpu_time(f"{facts['uptime']} {facts['cpu']}"),
            memory=memory(facts),
            memory_used=memory_used(facts),
            load=decimal(facts["load"]),
        )
    except KeyError as error:
        raise ValueError(f"a frame of figures has no {error.args[0]}") from None
    except (ValueError, IndexError) as error:
        raise ValueError(f"a frame of figures cannot be read: {error}") from None
