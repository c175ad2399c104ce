"""The one error tree. Every message names the thing (host, file:line, object), the cause and the remedy.

OrchError                   exit status 1
├── UsageError              2  the command line is wrong
├── InputError              2  a file that the user wrote is wrong; knows file:line
│   └── InputErrors            several such at once
├── RefusedError            4  understood, and not done
│   └── ConflictError          what it was decided upon has changed meanwhile
├── PartialError            3  done for some hosts, not for all
├── StateError              1  the state cannot be read, written or locked
├── LabError                1  a local fleet cannot be made or found
└── HostError               1  one host; the message starts with its name
    ├── ConnectError           no session: unreachable, refused, silent
    ├── AuthError              the host refused the user or the key
    ├── HostKeyError           the host's key is unknown or has changed
    ├── BecomeError            the user was let in, and may not become the one who shall run commands
    └── CommandError           a command failed, timed out or lost its channel
"""

from collections.abc import Sequence
from pathlib import Path

MOST_TOLD = 20
"""Errors of one kind that are told at once: what fits a screen."""


class OrchError(Exception):
    """Root of all errors that are meant for the user; `exit_status` is the process's."""

    exit_status = 1


class UsageError(OrchError):
    exit_status = 2


class InputError(OrchError):
    """A file says something that cannot be used. `line` counts from 1; None means the whole file."""

    exit_status = 2

    def __init__(self, file: Path | str, line: int | None, message: str) -> None:
        self.file, self.line, self.message = str(file), line, message
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")


class InputErrors(InputError):
    """`errors`, two or more, in the order in which they are told; as an InputError it is the first of them."""

    def __init__(self, errors: Sequence[InputError]) -> None:
        first = errors[0]
        super().__init__(first.file, first.line, first.message)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        """A line for each, the first MOST_TOLD of them."""
        more = len(self.errors) - MOST_TOLD
        return "\n".join([*map(str, self.errors[:MOST_TOLD]), *([f"and {more} more"] if more > 0 else [])])


class RefusedError(OrchError):
    exit_status = 4


class ConflictError(RefusedError):
    pass


class PartialError(OrchError):
    exit_status = 3


class StateError(OrchError):
    pass


class LabError(OrchError):
    pass


class HostError(OrchError):
    """Something that concerns one host. `reason` is the message without the host's name."""

    def __init__(self, host: str, reason: str) -> None:
        # Much of it may be the host's own words, and must not steer a terminal.
        self.host = host
        self.reason = "".join(c if c.isprintable() or c == "\n" else " " for c in reason)
        super().__init__(f"{host}: {self.reason}")


class ConnectError(HostError):
    pass


class AuthError(HostError):
    pass


class HostKeyError(HostError):
    pass


class BecomeError(HostError):
    pass


class CommandError(HostError):
    pass
