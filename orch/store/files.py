"""All that the store does to files: the one place to stand in for when a power cut is simulated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """Everything raises OSError. What was written is sure to be on the disk only after `sync`; that a name is there or
    gone, only after `sync_folder`."""

    def names(self, folder: Path) -> list[str]:
        """Sorted; none of a folder that is not there."""

    def read(self, path: Path) -> bytes: ...

    def make_folder(self, path: Path) -> None:
        """Of mode 0700."""

    def create(self, path: Path) -> int:
        """A new file of mode 0600, to write to."""

    def open(self, path: Path) -> tuple[int, int]:
        """The file, to append to or to overwrite, and its size in bytes."""

    def append(self, file: int, data: bytes) -> None: ...

    def overwrite(self, file: int, data: bytes) -> None:
        """From the first byte on."""

    def sync(self, file: int) -> None: ...

    def close(self, file: int) -> None: ...

    def sync_folder(self, path: Path) -> None: ...

    def rename(self, old: Path, new: Path) -> None: ...

    def link(self, old: Path, new: Path) -> None: ...

    def unlink(self, path: Path) -> None: ...


class Disk:
    """The real ones."""

    def names(self, folder: Path) -> list[str]:
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def make_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700)

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def open(self, path: Path) -> tuple[int, int]:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        return file, os.lseek(file, 0, os.SEEK_END)

    def append(self, file: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]

    def overwrite(self, file: int, data: bytes) -> None:
        os.pwrite(file, data, 0)

    def sync(self, file: int) -> None:
        # Enough for a new file too: what is needed to find its bytes again goes with them.
        os.fdatasync(file)

    def close(self, file: int) -> None:
        os.close(file)

    def sync_folder(self, path: Path) -> None:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def link(self, old: Path, new: Path) -> None:
        new.hardlink_to(old)

    def unlink(self, path: Path) -> None:
        path.unlink()


DISK = Disk()


def make_folders(path: Path, files: Files = DISK) -> None:
    """Make the folder, and those above it, if they are not there. Raises OSError."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        try:
            files.make_folder(folder)
        except FileExistsError:
            if not folder.is_dir():  # Somebody else made it just now, otherwise.
                raise
