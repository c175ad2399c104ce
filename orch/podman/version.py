"""Which podman will do. Pure."""

from __future__ import annotations

import re

LEAST = (4, 0)
"""The first with netavark, the maker of its networks."""

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


def too_old(version: str) -> bool:
    """A version that cannot be read is not called old."""
    match = _VERSION.match(version)
    return match is not None and (int(match[1]), int(match[2])) < LEAST
