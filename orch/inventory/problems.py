"""What becomes of an error in a file: raised at once, or kept, so that all can be told together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orch.errors import InputError
from orch.located import Located

T = TypeVar("T")


class VariableError(InputError):
    """A variable that is wrong for one host; for another it may be right. `reason` is the message without the host."""

    def __init__(self, place: Located, reason: str, host: str) -> None:
        self.reason, self.host = f"{place.path}: {reason}", host
        super().__init__(place.file, place.line, f"{self.reason} (for {host})" if host else self.reason)


class Problems:
    """Raises what it meets, or keeps it: `keep` is for those who want all errors and not the first."""

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self._found: dict[tuple[str, int, str], list[InputError]] = {}

    def attempt(self, read: Callable[[], T], instead: T) -> T:
        """What `read` returns. When its error is kept: `instead`."""
        try:
            return read()
        except InputError as error:
            if not self._keep:
                raise
            self.add(error)
            return instead

    def add(self, error: InputError) -> None:
        said = error.reason if isinstance(error, VariableError) else error.message
        self._found.setdefault((error.file, error.line or 0, said), []).append(error)

    def entries(self, place: Located) -> dict[str, Located]:
        """The entries of a mapping. When it is none, and the error is kept: none."""
        none: dict[str, Located] = {}
        return self.attempt(place.mapping, none)

    def found(self) -> list[InputError]:
        """Each error once, by file and line, however many hosts it was met for."""
        return [_told_once(errors) for _, errors in sorted(self._found.items())]


def _told_once(errors: list[InputError]) -> InputError:
    """The first of equal ones; it says for how many hosts more."""
    first = errors[0]
    hosts = {error.host for error in errors if isinstance(error, VariableError) and error.host}
    if not isinstance(first, VariableError) or len(hosts) < 2:
        return first
    return InputError(first.file, first.line, f"{first.reason} (for {first.host} and {len(hosts) - 1} more)")
