"""The probe program's text, and the pure reading of what it prints."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from orch.model.node import Container, Facts, Instant, Reachable
from orch.model.resources import Resources
from orch.podman.inspect import FORMAT, LIST_SECONDS, filter_of, parse_container

_UNLIMITED = 1 << 60
"""Version 1 of cgroups writes "no limit" as the largest number of pages; no node has so many bytes."""


@cache
def _program() -> str:
    return Path(__file__).with_name("probe.sh").read_text()


def probe_script(cluster: str, sample_seconds: float = 0) -> str:
    """Shell text that prints what `parse_probe` reads. CPU use is measured over `sample_seconds`, if any."""
    settings = {
        "cluster_filter": filter_of(cluster),
        "format": FORMAT,
        "sample": f"{sample_seconds:g}" if sample_seconds else "",
        "list_seconds": str(LIST_SECONDS),
    }
    assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    return assignments + _program()


def parse_probe(text: str, now: Instant) -> Reachable:
    """`now`: the master's clock when the answer came. Raises ValueError when it is not a probe's output."""
    facts: dict[str, str] = {}
    containers: list[Container] = []
    unreadable = ""
    # Not splitlines: what a container is called may contain other characters that end a line.
    for line in text.split("\n"):
        key, _, value = line.partition(" ")
        if key == "container":
            try:
                containers.append(parse_container(value))
            except ValueError as error:
                unreadable = str(error)
        else:
            facts[key] = value.strip()
    return Reachable(
        at=now,
        facts=_facts(facts, now),
        containers=tuple(sorted(containers, key=lambda c: (c.slot, c.attempt, c.id))),
        problem=_problem(facts) or unreadable,
    )


def _problem(facts: Mapping[str, str]) -> str:
    if "podman" not in facts:
        return "podman is missing; install it with the system's package manager"
    if "podman_error" in facts:
        return f"podman does not answer: {facts['podman_error']}"
    if "containers" not in facts:
        return "podman did not list its containers"
    return ""


def _facts(facts: Mapping[str, str], now: Instant) -> Facts:
    try:
        return Facts(
            capacity=Resources(_cores(facts), _memory(facts)),
            memory_used=_memory_used(facts),
            cpu_used=_cpu_used(facts),
            load=float(facts.get("load", 0)),
            disk_free=int(facts.get("disk_free_kb", 0)) * 1024,
            kernel=facts.get("kernel", ""),
            system=facts.get("system", ""),
            arch=facts.get("arch", ""),
            clock_skew=int(facts["time"]) - now,
            podman=facts.get("podman"),
        )
    except KeyError as error:
        raise ValueError(f"the probe's answer has no {error.args[0]}") from None
    except (IndexError, OverflowError) as error:
        raise ValueError(f"the probe's answer cannot be read: {error}") from None


def _cores(facts: Mapping[str, str]) -> int:
    """Millicores: the processors that may be used, or the quota where that is less."""
    cores = int(facts["cores"]) * 1000
    quota, period = facts.get("cfs_quota", "-1"), facts.get("cfs_period", "100000")
    if "cpu_max" in facts:
        quota, period = facts["cpu_max"].split()
    if quota in {"max", "-1"}:
        return cores
    return min(cores, int(quota) * 1000 // max(1, int(period)))


def _limited(facts: Mapping[str, str]) -> int | None:
    """Bytes that the node's own cgroup may use, or None without a limit below the machine's memory."""
    limit = facts.get("memory_max", "max")
    if limit == "max" or int(limit) >= min(_UNLIMITED, _kib(facts["MemTotal"])):
        return None
    return int(limit)


def _memory(facts: Mapping[str, str]) -> int:
    return _limited(facts) or _kib(facts["MemTotal"])


def _memory_used(facts: Mapping[str, str]) -> int:
    if _limited(facts) is None or "memory_current" not in facts:
        return _kib(facts["MemTotal"]) - _kib(facts["MemAvailable"])
    # The kernel drops cache before it runs out, so it is not in use, as MemAvailable has it.
    return max(0, int(facts["memory_current"]) - int(facts.get("memory_cache", 0)))


def _kib(text: str) -> int:
    return int(text.split()[0]) * 1024


def _cpu_used(facts: Mapping[str, str]) -> int | None:
    """Millicores between the two samples."""
    if "cpu_before" not in facts or "cpu_after" not in facts:
        return None
    (began, used_before), (ended, used_after) = _sample(facts["cpu_before"]), _sample(facts["cpu_after"])
    return max(0, round((used_after - used_before) * 1000 / (ended - began))) if ended > began else None


def _sample(text: str) -> tuple[float, float]:
    """`UPTIME UNIT VALUE…` → uptime and CPU time used, both in seconds."""
    uptime, unit, *values = text.split()
    if unit == "usec":
        return float(uptime), int(values[0]) / 1e6
    if unit == "nsec":
        return float(uptime), int(values[0]) / 1e9
    # /proc/stat: "cpu user nice system idle iowait irq softirq steal …" in hundredths of a second.
    busy = [int(v) for v in values[1:9]]
    return float(uptime), (sum(busy) - busy[3] - busy[4]) / 100
