"""Following one container to its end: what podman is told, and the reading of its answer. Pure."""

from __future__ import annotations

import shlex

import msgspec

_NO_CONTAINER = ("no such container", "no container with name or ID")


class Ended(msgspec.Struct, frozen=True):
    """How a container has ended."""

    exit_code: int
    out_of_memory: bool = False


def logs_script(container: str, *, follow: bool) -> str:
    """Shell text that prints all a container has said, each stream on its own, and with `follow` until it ends."""
    return shlex.join(("podman", "logs", *(("--follow",) if follow else ()), "--", container))


def wait_script(container: str) -> str:
    """Shell text that waits for a container's end and prints what `parse_ended` reads."""
    name = shlex.quote(container)
    return (
        f"podman wait -- {name} >/dev/null && "
        f"podman container inspect --format '{{{{.State.ExitCode}}}} {{{{.State.OOMKilled}}}}' -- {name}"
    )


def parse_ended(text: str) -> Ended:
    """Raises ValueError."""
    code, killed = text.split()
    return Ended(int(code), killed == "true")


def is_gone(complaint: str) -> bool:
    """Whether podman says that there is no such container."""
    return any(words in complaint for words in _NO_CONTAINER)
