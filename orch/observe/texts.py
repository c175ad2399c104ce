"""The shell texts beside this module, put together with what they are to be told; reads its own files alone."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def script(settings: Mapping[str, str], *names: str) -> str:
    """The files `names`, one after another, behind the assignments that they want."""
    assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    return assignments + "".join(_text(name) for name in names)
