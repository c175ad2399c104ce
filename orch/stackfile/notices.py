"""What a reader says besides its result: things that are read and not acted on, or not as their writer may think."""

from __future__ import annotations

import msgspec

from orch.located import Located


class Notice(msgspec.Struct, frozen=True, order=True):
    """A warning. `line` counts from 1; 0 stands for the whole file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class Notices:
    """Collects warnings while files are read. Each `kind` is said once, for the first place that has it."""

    def __init__(self) -> None:
        self._said: dict[str, dict[tuple[str, int, str], str]] = {}

    def add(self, place: Located, kind: str, message: str) -> None:
        said = self._said.setdefault(kind, {})
        # One place can be read twice: a service that others extend.
        said.setdefault((place.file, place.line, place.path), message)

    def all(self) -> tuple[Notice, ...]:
        """In the order of their files and lines."""
        return tuple(sorted(self._notice(kind) for kind in self._said))

    def _notice(self, kind: str) -> Notice:
        said = self._said[kind]
        # Of the file that was met first.
        met = next(iter(said))[0]
        file, line, path = min((place for place in said if place[0] == met), key=lambda place: place[1])
        where = f"{path}: " if path else ""
        more = len(said) - 1
        also = f" (and in {more} more place{'s' if more > 1 else ''})" if more else ""
        return Notice(file, line, f"{where}{said[file, line, path]}{also}")
