"""The lock on a state folder: one process changes it, and anyone else is told which."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orch.errors import StateError
from orch.store.files import DISK, Files, make_folders


@contextmanager
def exclusive(folder: Path, files: Files = DISK) -> Iterator[None]:
    """Make the folder (mode 0700) if need be and hold its lock. Raises StateError when another process does.

    The lock goes with the process, however that ends; the pid in the file is only for the message.
    """
    lock = -1
    try:
        try:
            make_folders(folder, files)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
            raise StateError(f"{folder}: in use by process {holder}; wait for it or end it") from None
        except OSError as error:
            raise StateError(f"{folder}: cannot be used for state: {error.strerror}; --state names another") from error
        yield
    finally:
        if lock >= 0:
            os.close(lock)
