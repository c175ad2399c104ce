"""A command to be run on a node: words, never shell text. What runs it quotes it, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from orch.model.secret import Secret

Argv: TypeAlias = tuple[str, ...]


class Command(msgspec.Struct, frozen=True):
    """What may be secret goes into `stdin` or `environment`, which stand on no command line.

    `stdin` is text ending in a newline, or empty; names in `environment` are such as a shell can export.
    """

    argv: Argv
    stdin: str = ""
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Command({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Fields as a `repr` may show them: the names of what is in the environment, and no values."""
        fields: list[tuple[str, Any]] = [("argv", self.argv)]
        if self.stdin:
            fields.append(("stdin", Secret(self.stdin)))
        if self.environment:
            fields.append(("environment", {name: Secret(value) for name, value in self.environment.items()}))
        return fields
