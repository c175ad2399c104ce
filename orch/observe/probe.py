"""The probe program's text, and the pure reading of what it prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orch.model.fence import Fence
from orch.model.instant import Instant
from orch.model.node import Container, Facts, Reachable
from orch.model.resources import Resources
from orch.observe.clock import skew_of
from orch.observe.figures import cpu_between, cpu_time, decimal, memory, memory_used, whole
from orch.observe.texts import script
from orch.podman.explain import WHEN_IT_HANGS
from orch.podman.files import cluster_folder
from orch.podman.images import NAMES, VOLUMES, parse_names
from orch.podman.inspect import FORMAT, LIST_SECONDS, ForeignContainer, filter_of, parse_container, parse_start
from orch.podman.version import LEAST, too_old


def probe_script(
    cluster: str, sample_seconds: float = 0, *, fence: Fence | None = None, inventory: bool = False
) -> str:
    """Shell text that prints what `parse_probe` reads. CPU use is measured over `sample_seconds`, if any; `fence` is
    left on the node first; `inventory`: images and volumes are listed too."""
    settings = {
        "folder": cluster_folder(cluster),
        "fence": str(fence or ""),
        "cluster_filter": filter_of(cluster),
        "format": FORMAT,
        "sample": f"{sample_seconds:g}" if sample_seconds else "",
        "list_seconds": str(LIST_SECONDS),
        "image_format": NAMES if inventory else "",
        "volume_format": VOLUMES if inventory else "",
    }
    return script(settings, "figures.sh", "fence.sh", "probe.sh")


def parse_probe(text: str, sent: Instant, received: Instant) -> Reachable:
    """`sent`, `received`: the master's clock when the script went out and when its answer was there.

    Raises ValueError when it is not a probe's output.
    """
    facts: dict[str, str] = {}
    containers: list[Container] = []
    images: set[str] = set()
    volumes: set[str] = set()
    unreadable = ""
    # Not splitlines: what a container is called may contain other characters that end a line.
    for line in text.split("\n"):
        key, _, value = line.partition(" ")
        if key in _READERS:
            try:
                containers.append(_READERS[key](value))
            except ForeignContainer:
                continue
            except ValueError as error:
                unreadable = str(error)
        elif key == "image":
            images.update(parse_names(value))
        elif key == "volume":
            volumes.add(value)
        else:
            facts[key] = value.strip()
    return Reachable(
        at=received,
        facts=_facts(facts, sent, received),
        containers=_of_each(containers),
        problem=_problem(facts) or unreadable,
        images=tuple(sorted(images)) if "images" in facts else None,
        volumes=tuple(sorted(volumes)) if "volumes" in facts else None,
    )


_READERS = {"container": parse_container, "starting": parse_start}


def _of_each(found: Iterable[Container]) -> tuple[Container, ...]:
    """A start that is under way may have made its container already, and it may be up."""
    starting = {c.replica for c in found if c.state == "starting"}
    kept = [c for c in found if c.state != "created" or c.replica not in starting]
    there = {c.replica for c in kept if c.state != "starting"}
    kept = [c for c in kept if c.state != "starting" or c.replica not in there]
    return tuple(sorted(kept, key=lambda c: (c.slot, c.attempt, c.id)))


def _problem(facts: Mapping[str, str]) -> str:
    if "podman" not in facts:
        return "podman is missing; install it with the system's package manager"
    if too_old(facts["podman"]):
        least = ".".join(str(number) for number in LEAST)
        return f"podman {facts['podman']} is too old, {least} is needed; `orch doctor` knows the way to a newer one"
    if "fence_error" in facts:
        return facts["fence_error"]
    if "podman_hangs" in facts:
        return f"podman gave no answer within {facts['podman_hangs']} s; {WHEN_IT_HANGS}"
    if "podman_error" in facts:
        return f"podman does not answer: {facts['podman_error']}"
    if "containers" not in facts:
        return "podman did not list its containers"
    return ""


def _facts(facts: Mapping[str, str], sent: Instant, received: Instant) -> Facts:
    try:
        skew = skew_of(facts, sent, received)
        return Facts(
            capacity=Resources(_cores(facts), memory(facts)),
            memory_used=memory_used(facts),
            cpu_used=_cpu_used(facts),
            load=decimal(facts.get("load", "0")),
            disk_free=whole(facts["disk_free_kb"], 1024) if "disk_free_kb" in facts else None,
            kernel=facts.get("kernel", ""),
            system=facts.get("system", ""),
            arch=facts.get("arch", ""),
            clock_skew=skew.seconds,
            clock_error=skew.error,
            podman=facts.get("podman"),
        )
    except KeyError as error:
        raise ValueError(f"the probe's answer has no {error.args[0]}") from None
    except IndexError as error:
        raise ValueError(f"the probe's answer cannot be read: {error}") from None


def _cores(facts: Mapping[str, str]) -> int:
    """Millicores: the processors that may be used, or the quota where that is less."""
    cores = whole(facts["cores"], 1000)
    quota, period = facts.get("cfs_quota", "-1"), facts.get("cfs_period", "100000")
    if "cpu_max" in facts:
        quota, period = facts["cpu_max"].split()
    if quota in {"max", "-1"}:
        return cores
    return min(cores, whole(quota, 1000) // max(1, whole(period)))


def _cpu_used(facts: Mapping[str, str]) -> int | None:
    """Millicores between the two samples."""
    if "cpu_before" not in facts or "cpu_after" not in facts:
        return None
    return cpu_between(cpu_time(facts["cpu_before"]), cpu_time(facts["cpu_after"]))
