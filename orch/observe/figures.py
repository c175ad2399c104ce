"""Reading the figures that figures.sh gathers, whoever printed them. Pure.

All raise KeyError for a figure that every node has and this one does not, and ValueError or IndexError for one that
cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_MOST = 1 << 63
_UNLIMITED = 1 << 60
"""Version 1 of cgroups writes "no limit" as the largest number of pages; no node has so many bytes."""


class CpuTime(msgspec.Struct, frozen=True):
    """Seconds: since the node was booted, and of CPU time used until then."""

    uptime: float
    used: float


def whole(text: str, unit: int = 1) -> int:
    """A count of things of `unit` size, as the kernel writes it. Raises ValueError, also for more than 64 bits hold."""
    number = int(text) * unit
    if abs(number) >= _MOST:
        raise ValueError(f"{text[:40]} is more than a machine counts")
    return number


def decimal(text: str) -> float:
    """Raises ValueError."""
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError(f"expected a number, not {text[:40]!r}")
    return float(text)


def memory(facts: Mapping[str, str]) -> int:
    """Bytes that there are for use: the machine's, or the limit of the node's own cgroup where that is less."""
    return _limited(facts) or _kib(facts["MemTotal"])


def memory_used(facts: Mapping[str, str]) -> int:
    if _limited(facts) is None or "memory_current" not in facts:
        return _kib(facts["MemTotal"]) - _kib(facts["MemAvailable"])
    # The kernel drops cache before it runs out, so it is not in use, as MemAvailable has it.
    return max(0, whole(facts["memory_current"]) - whole(facts.get("memory_cache", "0")))


def _limited(facts: Mapping[str, str]) -> int | None:
    limit = facts.get("memory_max", "max")
    if limit == "max" or whole(limit) >= min(_UNLIMITED, _kib(facts["MemTotal"])):
        return None
    return whole(limit)


def _kib(text: str) -> int:
    return whole(text.split()[0], 1024)


def cpu_time(text: str) -> CpuTime:
    """`UPTIME UNIT VALUE…`, as read_uptime and read_cpu have it."""
    uptime, unit, *values = text.split()
    if unit == "usec":
        return CpuTime(decimal(uptime), whole(values[0]) / 1e6)
    if unit == "nsec":
        return CpuTime(decimal(uptime), whole(values[0]) / 1e9)
    # /proc/stat: "cpu user nice system idle iowait irq softirq steal …" in hundredths of a second.
    busy = [whole(v) for v in values[1:9]]
    return CpuTime(decimal(uptime), (sum(busy) - busy[3] - busy[4]) / 100)


def cpu_between(before: CpuTime, after: CpuTime) -> int | None:
    """Millicores in use from one to the other; None when no time lies between them, as after a reboot."""
    if after.uptime <= before.uptime:
        return None
    millicores = round((after.used - before.used) * 1000 / (after.uptime - before.uptime))
    return min(max(0, millicores), _MOST)
