"""File operations, recorded while they are done, and what of them a power cut may leave."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from orch.store.files import Disk

SECTOR = 512


class Write(msgspec.Struct, frozen=True):
    inode: int
    path: Path
    offset: int
    data: bytes


class Sync(msgspec.Struct, frozen=True):
    inode: int
    path: Path


class Names(msgspec.Struct, frozen=True):
    """One change of a folder, which happens whole or not at all: names → inodes, None for one that goes.

    `how`: create, rename, link, unlink or folder; the last has `path` itself in place of an inode.
    """

    how: str
    folder: Path
    entries: Mapping[str, int | Path | None]


class SyncFolder(msgspec.Struct, frozen=True):
    path: Path


class Acknowledged(msgspec.Struct, frozen=True):
    """Somebody was told that this revision is kept."""

    revision: int


class Begun(msgspec.Struct, frozen=True):
    """From here on, traces of this revision are right to be found."""

    revision: int


Op: TypeAlias = Write | Sync | Names | SyncFolder | Acknowledged | Begun
Tree: TypeAlias = dict[Path, bytes | None]
"""Paths below the root → contents; None for a folder."""


class Killed(BaseException):
    """The process that does all this is killed."""


class Recorder(Disk):
    """The real disk, with a record of what was done. Of what is there already, all is taken to be on it for good.

    `life`: how many operations more it lets be done before it kills whoever does them; None: as many as they like.
    """

    def __init__(self, root: Path) -> None:
        self.ops: list[Op] = []
        self.life: int | None = None
        self._inodes: dict[Path, int] = {}
        self._files: dict[int, Path] = {}
        self._sizes: dict[int, int] = {}
        for path, data in read_tree(root).items():
            self._known(root / path, data)

    def _age(self) -> None:
        if self.life is not None:
            if self.life == 0:
                raise Killed
            self.life -= 1

    def close_all(self) -> None:
        """As the kernel does for a process that was killed."""
        for file in tuple(self._files):
            self.close(file)

    def close(self, file: int) -> None:
        super().close(file)
        del self._files[file]

    def _known(self, path: Path, data: bytes | None) -> None:
        if data is None:
            self.ops.append(Names("folder", path.parent, {path.name: path}))
        else:
            inode = self._new(path)
            self.ops += [
                Names("create", path.parent, {path.name: inode}),
                Write(inode, path, 0, data),
                Sync(inode, path),
            ]
            self._sizes[inode] = len(data)
        self.ops.append(SyncFolder(path.parent))

    def _new(self, path: Path) -> int:
        inode = len(self._sizes) + 1
        self._inodes[path], self._sizes[inode] = inode, 0
        return inode

    def make_folder(self, path: Path) -> None:
        self._age()
        super().make_folder(path)
        self.ops.append(Names("folder", path.parent, {path.name: path}))

    def create(self, path: Path) -> int:
        self._age()
        file = super().create(path)
        self._files[file] = path
        self.ops.append(Names("create", path.parent, {path.name: self._new(path)}))
        return file

    def open(self, path: Path) -> tuple[int, int]:
        file, size = super().open(path)
        self._files[file] = path
        return file, size

    def append(self, file: int, data: bytes) -> None:
        self._age()
        super().append(file, data)
        inode = self._inodes[self._files[file]]
        self._write(file, self._sizes[inode], data)

    def overwrite(self, file: int, data: bytes) -> None:
        self._age()
        super().overwrite(file, data)
        self._write(file, 0, data)

    def _write(self, file: int, offset: int, data: bytes) -> None:
        path = self._files[file]
        inode = self._inodes[path]
        self._sizes[inode] = max(self._sizes[inode], offset + len(data))
        self.ops.append(Write(inode, path, offset, data))

    def sync(self, file: int) -> None:
        self._age()
        super().sync(file)
        self.ops.append(Sync(self._inodes[self._files[file]], self._files[file]))

    def sync_folder(self, path: Path) -> None:
        self._age()
        super().sync_folder(path)
        self.ops.append(SyncFolder(path))

    def rename(self, old: Path, new: Path) -> None:
        self._age()
        super().rename(old, new)
        inode = self._inodes[new] = self._inodes.pop(old)
        self.ops.append(Names("rename", new.parent, {old.name: None, new.name: inode}))

    def link(self, old: Path, new: Path) -> None:
        self._age()
        super().link(old, new)
        inode = self._inodes[new] = self._inodes[old]
        self.ops.append(Names("link", new.parent, {new.name: inode}))

    def unlink(self, path: Path) -> None:
        self._age()
        super().unlink(path)
        del self._inodes[path]
        self.ops.append(Names("unlink", path.parent, {path.name: None}))


def power_cut(ops: Sequence[Op], root: Path, dice: random.Random) -> Tree:
    """What is on the disk when the power goes after `ops`: all that was synced, and anything of the rest."""
    contents: dict[int, bytearray] = {}
    writes: dict[int, list[Write]] = {}
    folders: dict[Path, dict[str, int | Path | None]] = {}
    names: dict[Path, list[Names]] = {}
    for op in ops:
        match op:
            case Write():
                writes.setdefault(op.inode, []).append(op)
            case Sync():
                _keep(contents, writes.pop(op.inode, []))
            case Names():
                names.setdefault(op.folder, []).append(op)
            case SyncFolder():
                for change in names.pop(op.path, []):
                    folders.setdefault(op.path, {}).update(change.entries)
    for pending in writes.values():
        _keep(contents, _some_writes(pending, dice))
    for folder, changes in names.items():
        for change in _some(changes, dice):
            folders.setdefault(folder, {}).update(change.entries)
    return dict(_walk(root, Path(), folders, contents))


def _keep(contents: dict[int, bytearray], writes: Sequence[Write]) -> None:
    for write in writes:
        content = contents.setdefault(write.inode, bytearray())
        end = write.offset + len(write.data)
        content.extend(bytes(max(0, end - len(content))))
        content[write.offset : end] = write.data


def _some(changes: Sequence[Names], dice: random.Random) -> list[Names]:
    """All, none, all but one, only one, or any."""
    chance, one = dice.choice((0.0, 0.5, 1.0, -1.0, 2.0)), dice.randrange(len(changes))
    return [
        change
        for number, change in enumerate(changes)
        if (number == one if chance < 0 else number != one if chance > 1 else dice.random() < chance)
    ]


def _some_writes(writes: Sequence[Write], dice: random.Random) -> list[Write]:
    chance = dice.choice((0.0, 0.5, 1.0))
    kept = [write for write in writes if dice.random() < chance]
    return [piece for write in kept for piece in _pieces(write, dice)]


def _pieces(write: Write, dice: random.Random) -> Iterator[Write]:
    """The write whole, cut short, or without some of its sectors, which are as before or, if new, zeros."""
    match dice.randrange(3):
        case 0:
            yield write
        case 1:
            yield msgspec.structs.replace(write, data=write.data[: dice.randrange(len(write.data) + 1)])
        case _:
            chance, end = dice.choice((0.1, 0.5, 0.9, 1.0)), write.offset + len(write.data)
            start = write.offset
            while start < end:
                stop = min(end, start - start % SECTOR + SECTOR)
                data = write.data[start - write.offset : stop - write.offset]
                # What is lost still made the file as long as it was to be.
                lost = dice.random() < chance
                yield Write(write.inode, write.path, stop if lost else start, b"" if lost else data)
                start = stop


def _walk(
    folder: Path,
    below: Path,
    folders: Mapping[Path, Mapping[str, int | Path | None]],
    contents: Mapping[int, bytearray],
) -> Iterator[tuple[Path, bytes | None]]:
    for name, entry in folders.get(folder, {}).items():
        match entry:
            case int():
                yield below / name, bytes(contents.get(entry, b""))
            case Path():
                yield below / name, None
                yield from _walk(entry, below / name, folders, contents)


def read_tree(root: Path) -> Tree:
    tree: Tree = {}
    for place, folders, files in os.walk(root):
        folders.sort()
        tree |= {(Path(place) / name).relative_to(root): None for name in folders}
        tree |= {(Path(place) / name).relative_to(root): (Path(place) / name).read_bytes() for name in sorted(files)}
    return tree


def write_tree(tree: Tree, root: Path) -> None:
    """Make `root`, which is not there, be so."""
    root.mkdir(mode=0o700)
    for path, data in tree.items():
        if data is None:
            (root / path).mkdir(mode=0o700)
        else:
            (root / path).write_bytes(data)
