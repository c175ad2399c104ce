"""The watch of a node: the text of the loop that runs there, and the pure reading of its lines, which are frames of
figures and podman's events."""

from __future__ import annotations

import msgspec

from orch.model.instant import Instant
from orch.observe.figures import CpuTime, cpu_time, decimal, memory, memory_used
from orch.observe.texts import script
from orch.podman.inspect import filter_of

INTERVAL_SECONDS = 2.0

_KIND = "node"
"""The first word of a frame; an event is a JSON object."""


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


class Event(msgspec.Struct, frozen=True):
    """What happened to a container: `status` is podman's word for it, such as died or start; `health` what its check
    said, if that is what happened."""

    name: str = msgspec.field(name="Name", default="")
    status: str = msgspec.field(name="Status", default="")
    health: str = msgspec.field(name="HealthStatus", default="")


def watch_script(interval: float = INTERVAL_SECONDS, *, cluster: str = "") -> str:
    """Shell text that prints a line for `parse_line` every `interval` seconds, and one for each event of the cluster's
    containers, if one is named, until its output is closed."""
    settings = {"interval": f"{interval:g}", "cluster_filter": filter_of(cluster) if cluster else ""}
    return script(settings, "figures.sh", "watch.sh")


def parse_line(line: str, now: Instant) -> Frame | Event:
    """Raises ValueError when it is neither; `now` as for `parse_frame`."""
    if not line.startswith("{"):
        return parse_frame(line, now)
    return msgspec.json.decode(line, type=Event)


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
