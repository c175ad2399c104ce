"""Errors in parts of a file that have nothing to do with each other, told together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orch.errors import InputError, InputErrors


class Several:
    """Keeps the errors of the parts that are tried, until they are raised."""

    def __init__(self) -> None:
        self._found: list[InputError] = []

    @contextmanager
    def part(self) -> Iterator[None]:
        """Around what reads one part: its InputError is kept, and reading goes on after it."""
        try:
            yield
        except InputError as error:
            self._found += error.errors if isinstance(error, InputErrors) else [error]

    def settle(self) -> None:
        """Raises the one InputError there is, or InputErrors with each once, by file and line."""
        errors = {(e.file, e.line or 0, e.message): e for e in self._found}
        match [error for _, error in sorted(errors.items(), key=lambda item: item[0])]:
            case []:
                return
            case [only]:
                raise only
            case found:
                raise InputErrors(found)
