"""The one place where files are read: Compose files, files of variables, and what configs and secrets have in them."""

from __future__ import annotations

import os
from pathlib import Path

from orch.errors import InputError
from orch.located import Located, parse_located, read_text
from orch.stackfile.dotenv import EnvFile
from orch.stackfile.shapes import TAGS

_LARGEST = 4 << 20
"""Bytes in one config or secret, which the store keeps; Kubernetes and Swarm stop at 1 MiB and less."""


def read_document(path: Path) -> Located:
    """One Compose file. Raises InputError."""
    return parse_located(read_text(path), str(path), tags=TAGS, written=True)


def read_env_file(path: Path) -> EnvFile:
    """Raises InputError."""
    return EnvFile(str(path), read_text(path))


def exists(path: Path) -> bool:
    """False, and no error, for a name that is too long to be one."""
    return os.path.exists(path)


def beside(folder: Path) -> Path | None:
    """The `.env` of a folder, if it has one; a folder of that name is somebody's Python."""
    return folder / ".env" if os.path.isfile(folder / ".env") else None


def read_file(place: Located, path: str) -> bytes:
    """What a config or secret named in `place` has in it. Raises InputError."""
    try:
        # A fifo would wait for a writer that never comes.
        if Path(path).exists() and not Path(path).is_file():
            place.fail(f"{path} is not a file")
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        place.fail(f"{path} cannot be read: {reason}")
    if len(content) > _LARGEST:
        place.fail(f"{path} has more than {_LARGEST >> 20} MiB; put large data into a volume")
    return content


def absolute(folder: Path, path: str) -> str:
    """As Compose completes a path: against the folder, without `.` and `..`; links are left alone."""
    return os.path.normpath(os.path.join(os.path.abspath(folder), path))


def required_env(place: Located, path: Path) -> EnvFile:
    """As `read_env_file`; the error names the place that names the file."""
    try:
        return read_env_file(path)
    except InputError as error:
        place.fail(f"{error.file} {error.message}")


def required_document(place: Located, path: Path) -> Located:
    """As `read_document`; where the file cannot be read at all, the error names the place that names it."""
    try:
        return read_document(path)
    except InputError as error:
        if error.line is not None:
            raise
        place.fail(f"{error.file} {error.message}")
