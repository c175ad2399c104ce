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
        self._first: dict[str, tuple[Located, str]] = {}
        self._more: dict[str, int] = {}

    def add(self, place: Located, kind: str, message: str) -> None:
        if kind in self._first:
            first = self._first[kind][0]
            # One place can be read twice: a service that others extend.
            self._more[kind] += (place.file, place.line, place.path) != (first.file, first.line, first.path)
        else:
            self._first[kind], self._more[kind] = (place, message), 0

    def all(self) -> tuple[Notice, ...]:
        """In the order of their files and lines."""
        return tuple(sorted(self._notice(kind) for kind in self._first))

    def _notice(self, kind: str) -> Notice:
        place, message = self._first[kind]
        where = f"{place.path}: " if place.path else ""
        more = self._more[kind]
        also = f" (and in {more} more place{'s' if more > 1 else ''})" if more else ""
        return Notice(place.file, place.line, f"{where}{message}{also}")
