"""The lock on a state folder, held against other processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orch.errors import StateError
from orch.store.lock import exclusive

HOLD = """
import sys
from pathlib import Path
from orch.store.lock import exclusive

with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def refused(folder: Path) -> str:
    with pytest.raises(StateError) as caught, exclusive(folder):
        pass
    return str(caught.value)


def test_a_lock_held_by_another_process_is_refused_with_its_pid(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert refused(tmp_path) == f"{tmp_path}: in use by process {process.pid}; wait for it or end it"


def test_the_lock_is_free_once_its_holder_was_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
        process.wait()

        with exclusive(tmp_path):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_whoever_is_refused_leaves_the_holder_s_pid_in_place(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert refused(tmp_path) == refused(tmp_path)
        assert (tmp_path / "lock").read_text() == f"{process.pid}\n"


def test_the_lock_is_free_after_its_block_however_that_ended(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path):
        raise ZeroDivisionError

    with holder(tmp_path) as process:
        assert process.poll() is None


def test_the_lock_holds_within_one_process_too(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        assert refused(tmp_path) == f"{tmp_path}: in use by process {os.getpid()}; wait for it or end it"


def test_a_longer_pid_of_an_earlier_holder_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999999999\n")

    with exclusive(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "prod"

    with exclusive(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "lock").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_made_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert refused(tmp_path / "file") == (
        f"{tmp_path / 'file'}: cannot be used for state: File exists; --state names another"
    )
