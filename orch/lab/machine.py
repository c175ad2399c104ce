"""Running this machine's own commands for a lab, and the lock under which all of it happens."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orch.errors import LabError
from orch.lab.layout import HOME, IMAGE_STORE, LabPaths


class Machine:
    """Commands of a lab that hold its lock open.

    They keep it even when this process is killed, so that whoever comes next, `down` above all, waits for
    the last one and then sees all that was made.
    """

    def __init__(self, lock: int) -> None:
        self.lock = lock

    def run(self, *argv: str, input: str | None = None) -> str:
        """Standard output. Raises LabError with what the command said."""
        done = subprocess.run(argv, input=input, capture_output=True, text=True, pass_fds=(self.lock,), check=False)
        if done.returncode:
            said = done.stderr.strip() or f"exit status {done.returncode}"
            raise LabError(f"{argv[0]}: {said} (while running {' '.join(argv)})")
        return done.stdout

    def spawn(self, script: Path, *args: str, env: dict[str, str], output: Path) -> None:
        """Start a shell script that outlives this process. Its standard input is the lock, for it to drop."""
        with output.open("wb") as console:
            subprocess.run(
                # --fork leaves the script to init, which reaps it whenever it ends.
                ("setsid", "--fork", "sh", str(script), *args),
                env=env,
                stdin=self.lock,
                stdout=console,
                stderr=console,
                check=True,
                cwd="/",
            )


@contextmanager
def locked(paths: LabPaths) -> Iterator[Machine]:
    """The lab's lock, waited for; gone again where there is no lab. Raises LabError where labs cannot be made."""
    with _held(paths.lock) as machine:
        try:
            yield machine
        finally:
            if not paths.home.exists():
                paths.lock.unlink(missing_ok=True)


@contextmanager
def locked_images() -> Iterator[Machine]:
    """The lock of the image store. Whoever holds a lab's may take it too, and not the other way round."""
    with _held(HOME / f"{IMAGE_STORE}.lock") as machine:
        yield machine


@contextmanager
def _held(path: Path) -> Iterator[Machine]:
    if os.uname().sysname != "Linux":
        raise LabError("orch lab makes Linux namespaces, so it needs Linux")
    if os.geteuid() != 0:
        raise LabError("orch lab makes namespaces, mounts and cgroups, so it needs root: try sudo")
    HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = _take(path)
    # What a host must be able to read is made readable; what must stay private has a mode of its own.
    umask = os.umask(0o022)
    try:
        yield Machine(lock)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LabError(str(error)) from error
    finally:
        os.umask(umask)
        os.close(lock)


def _take(path: Path) -> int:
    """The lock's descriptor. Whoever waited for a file that was removed meanwhile waits for the next one."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        os.close(lock)
