"""Disks that do not do as they are told."""

from __future__ import annotations

import errno
import os

from orch.store.files import Disk


class FullDisk(Disk):
    """Has room for `room` more bytes, and writes as many of them as fit; None: for all."""

    def __init__(self) -> None:
        self.room: int | None = None

    def append(self, file: int, data: bytes) -> None:
        if self.room is None:
            super().append(file, data)
            return
        super().append(file, data[: self.room])
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)


class BrokenDisk(Disk):
    """The next sync fails, and those after it pretend that nothing had been."""

    def __init__(self) -> None:
        self.fails = False
        self.syncs = 0

    def sync(self, file: int) -> None:
        self.syncs += 1
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(file)
