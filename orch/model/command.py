"""A command to be run on a node: words, never shell text. What runs it quotes it, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

Argv: TypeAlias = tuple[str, ...]


class Command(msgspec.Struct, frozen=True):
    """What may be secret goes into `stdin` or `environment`, which stand on no command line.

    `stdin` is text ending in a newline, or empty; names in `environment` are such as a shell can export.
    """

    argv: Argv
    stdin: str = ""
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
