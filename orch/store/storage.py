"""TinyDB's storage, made safe against crashes: the file is replaced whole, never written in place."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
from tinydb import Storage

from orch.errors import StateError


class _Sealed(msgspec.Struct, forbid_unknown_fields=True):
    """The file: TinyDB's tables as JSON, and the SHA-256 of just those bytes."""

    sha256: str
    tables: msgspec.Raw


class AtomicJSONStorage(Storage):
    """One JSON file of mode 0600. A reader sees the last commit whole, whenever it looks."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Raises StateError when the file is not what `write` leaves."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{self._path}: cannot be read: {error.strerror}") from error
        try:
            return _unseal(content)
        except ValueError as error:
            raise StateError(
                f"{self._path}: is damaged ({error}); put a backup in its place, or move it away to begin anew: "
                "containers that run as wanted are then adopted"
            ) from None

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """On return the data outlasts a power cut. Raises StateError; the old content then still stands."""
        temporary = self._path.with_suffix(".tmp")
        try:
            # One that a broken-off write left may have any mode.
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_seal(data))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            # Without this a power cut may bring the old name back.
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StateError(f"{self._path}: cannot be written: {error.strerror}") from error


def _seal(data: dict[str, dict[str, Any]]) -> bytes:
    tables = msgspec.json.encode(data)
    return msgspec.json.encode(_Sealed(hashlib.sha256(tables).hexdigest(), msgspec.Raw(tables)))


def _unseal(content: bytes) -> dict[str, dict[str, Any]]:
    """Raises ValueError for anything that `_seal` did not write."""
    sealed = msgspec.json.decode(content, type=_Sealed)
    if hashlib.sha256(sealed.tables).hexdigest() != sealed.sha256:
        raise ValueError("its checksum does not match")
    return msgspec.json.decode(sealed.tables, type=dict[str, dict[str, Any]])
