"""Writing a state folder: commits that outlast a power cut, and compaction. What lies there: orch/store/load.py."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from orch.errors import StateError
from orch.store.files import DISK, Files
from orch.store.load import ACKNOWLEDGED, JOURNAL, SNAPSHOT, acknowledgement, generations, load
from orch.store.records import Change, State, encode_snapshot, encode_transaction

LEAST_TO_COMPACT = 1 << 20
"""Bytes. A shorter journal is read in some 5 ms and not worth a new snapshot."""
_TEMPORARY = f"{SNAPSHOT}.tmp"
_REMEDIES = {
    errno.ENOSPC: "free some space, and run it again",
    errno.EDQUOT: "raise the quota or free some space, and run it again",
    errno.EFBIG: "raise the limit on the size of files, and run it again",
    errno.EROFS: "make it writable, or name another folder with --state",
    errno.EACCES: "make it writable, or name another folder with --state",
    errno.EIO: "look after the disk, and run it again",
}


class Journal:
    """The state of a folder, and the only way to change it. Whoever commits holds the folder's lock since before this
    was made.

    After any error in writing nothing more is written: what an fsync that failed has left of the data is unknown, and
    asking it again may get a lie. All that was acknowledged stands; starting anew reads what is there.
    """

    def __init__(self, folder: Path, owner: str, files: Files = DISK) -> None:
        """Raises StateError for a folder that is damaged or has another owner's state."""
        self._folder, self._owner, self._files = folder, owner, files
        loaded = load(folder, files)
        if loaded.owner not in {None, owner}:
            raise StateError(
                f"{folder / SNAPSHOT}: is the state of cluster {loaded.owner}, and the inventory is of {owner}; "
                "name another folder with --state"
            )
        self.state: State = loaded.state
        self._generation, self._clean, self._seen = loaded.generation, loaded.clean, loaded.names
        self._snapshot_size, self._size = loaded.snapshot_size, loaded.journal_size
        self._file = self._witness = -1
        self._taken, self._stopped = False, ""

    @property
    def due(self) -> bool:
        """Is the journal so long that `compact` pays?"""
        return self._size > max(LEAST_TO_COMPACT, self._snapshot_size)

    def commit(self, changes: Sequence[Change]) -> int:
        """The new revision. On return it outlasts a power cut; only then is it in `state`.

        Raises StateError, and then nothing has changed: neither `state` nor what a later reader can rely on. Raises
        TypeError or ValueError, and goes on, for what JSON cannot hold.
        """
        revision = self.state.revision + 1
        data = encode_transaction(revision, changes)
        self._open()
        with self._stopping_at(f"{JOURNAL}.{self._generation}"):
            self._files.append(self._file, data)
            self._files.sync(self._file)
            self._size += len(data)
            self.state.apply(revision, changes)
            self._acknowledge(revision)
        return revision

    def compact(self) -> None:
        """Write a new snapshot and begin a new journal. Whoever waits for a commit should not wait for this.

        At any moment a power cut leaves either the old pair or the new one, and the old one is kept as a backup until
        the next time. Raises StateError.
        """
        self._take_over()
        files, folder, before = self._files, self._folder, self._generation
        names = files.names(folder)
        after = max([before, *generations(names, JOURNAL)]) + 1
        with self._stopping_at(_TEMPORARY):
            journal = files.create(folder / f"{JOURNAL}.{after}")
            size = self._write_snapshot(after, names)
            if before:
                backup = f"{SNAPSHOT}.{before}"
                if backup in names:
                    files.unlink(folder / backup)
                files.link(folder / SNAPSHOT, folder / backup)
            else:
                self._sync_above()
            # First the new journal's name, then the snapshot that needs it: there is no order without a sync.
            files.sync_folder(folder)
            files.rename(folder / _TEMPORARY, folder / SNAPSHOT)
            files.sync_folder(folder)
            for name in _outdated(names, before):
                files.unlink(folder / name)
        self._close(self._file)
        self._file, self._generation, self._size, self._snapshot_size = journal, after, 0, size
        self._clean = True

    def close(self) -> None:
        self._close(self._file)
        self._close(self._witness)
        self._file = self._witness = -1
        self._stopped = self._stopped or "the store is closed"

    def _sync_above(self) -> None:
        """The folder's own name, and those of the folders above it, which may be new as well."""
        for folder in self._folder.absolute().parents:
            try:
                self._files.sync_folder(folder)
            except OSError as error:
                # Not ours to list, so not ours to have made; or a file system that keeps its names without.
                if error.errno not in {errno.EACCES, errno.EPERM, errno.EINVAL}:
                    raise

    def _write_snapshot(self, generation: int, names: Sequence[str]) -> int:
        path = self._folder / _TEMPORARY
        if _TEMPORARY in names:
            self._files.unlink(path)
        data = encode_snapshot(self._owner, generation, self.state)
        file = self._files.create(path)
        try:
            self._files.append(file, data)
            self._files.sync(file)
        except OSError:
            with suppress(OSError):  # On a full disk it must not take the last space.
                self._files.unlink(path)
            raise
        finally:
            self._files.close(file)
        return len(data)

    def _open(self) -> None:
        """Be ready to append. Behind a transaction that was broken off nothing is: it stays where it is, and a new
        journal begins."""
        self._take_over()
        if not self._clean:
            self.compact()

    def _take_over(self) -> None:
        """Before the first write: is the folder still what was read?"""
        self._check_not_stopped()
        if self._taken:
            return
        name = f"{JOURNAL}.{self._generation}"
        with self._stopping_at(name):
            changed = _kept(self._files.names(self._folder)) != _kept(self._seen)
            if self._generation and not changed:
                self._file, size = self._files.open(self._folder / name)
                changed = size != self._size
                # What was read may be of a process that was killed before its sync, and be nowhere but in memory.
                self._files.sync(self._file)
                self._files.sync_folder(self._folder)
        if changed:
            self._stopped = f"{self._folder}: another process has changed it meanwhile; run it again"
            self._check_not_stopped()
        self._taken = True

    def _acknowledge(self, revision: int) -> None:
        """Leave a witness of how far the journal goes, so that one that was cut is told from one that ends here.

        It needs no sync: after a power cut it may lag behind. The commit stands even when this fails.
        """
        path = self._folder / ACKNOWLEDGED
        try:
            if self._witness < 0:
                try:
                    self._witness, _ = self._files.open(path)
                except FileNotFoundError:
                    self._witness = self._files.create(path)
            self._files.overwrite(self._witness, acknowledgement(revision))
        except OSError as error:
            self._stopped = _told(path, error)

    def _check_not_stopped(self) -> None:
        if self._stopped:
            raise StateError(self._stopped)

    @contextmanager
    def _stopping_at(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._stopped = _told(self._folder / name, error)
            raise StateError(self._stopped) from error
        except BaseException:  # Ctrl-C: what is on the disk and what is in memory may differ.
            self._stopped = self._stopped or f"{self._folder / name}: writing was broken off; run it again"
            raise

    def _close(self, file: int) -> None:
        if file >= 0:
            self._files.close(file)


def _told(path: Path, error: OSError) -> str:
    remedy = _REMEDIES.get(error.errno or 0, "mend that, and run it again")
    return f"{path}: cannot be written: {error.strerror}; {remedy}: all that was committed before stands"


def _kept(names: Sequence[str]) -> list[str]:
    """Those that say which generation is the current one."""
    return [name for name in names if name.startswith((SNAPSHOT, JOURNAL))]


def _outdated(names: Sequence[str], backup: int) -> list[str]:
    """What neither the snapshot nor its backup, of generation `backup`, needs."""
    return [f"{kind}.{n}" for kind in (SNAPSHOT, JOURNAL) for n in generations(names, kind) if n < backup]
