"""What is said of a folder that cannot be used, and that the remedy in the message is one."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orch.errors import StateError
from orch.store.protocol import Changes, Key
from orch.store.tinydb import TinyStore
from tests.crash.work import CLUSTER, Model, opened
from tests.unit.disks import BrokenDisk, FullDisk

MODEL = Model(texts=(10,))
ANEW = "begins anew: containers that run as wanted are then adopted"


def filled(folder: Path, *, compacts_after: tuple[int, ...] = (3, 5), last: int = 8) -> Path:
    """A folder with generations 1 to 3 and, if compaction went so, revisions up to `last`."""
    store = opened(folder)
    while store.revision < last:
        MODEL.commit_next(store)
        if store.revision in compacts_after:
            store.compact()
    store.close()
    return folder


def told(folder: Path) -> str:
    with pytest.raises(StateError) as caught:
        opened(folder)
    return str(caught.value)


def follow_remedy(folder: Path, revision: int) -> None:
    """Do what the message says; the folder must then be at that revision, and usable."""
    message = told(folder)
    assert f"at revision {revision}; back to it: " in message
    subprocess.run(["sh", "-ec", message.partition("back to it: ")[2]], check=True)
    store = opened(folder)
    assert MODEL.wrong(store, revision, revision) == ""
    MODEL.commit_next(store)
    store.compact()
    assert MODEL.wrong(opened(folder), revision + 1, revision + 1) == ""


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def line_starts(path: Path) -> list[int]:
    return [0, *(match.end() for match in re.finditer(b"\n", path.read_bytes()))]


def test_a_damaged_snapshot_is_replaced_by_its_backup_and_nothing_is_lost(tmp_path: Path) -> None:
    filled(tmp_path)
    flip(tmp_path / "snapshot", 200)

    assert told(tmp_path) == (
        f"{tmp_path}/snapshot: is damaged at byte {max(s for s in line_starts(tmp_path / 'snapshot') if s <= 200)}: "
        "a line is not as it was written; the last good backup is snapshot.2 with its journal, at revision 8; "
        f"back to it: mv {tmp_path}/snapshot.2 {tmp_path}/snapshot"
    )
    follow_remedy(tmp_path, 8)


def test_a_lost_snapshot_is_replaced_by_its_backup_too(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "snapshot").unlink()

    assert told(tmp_path).startswith(f"{tmp_path}/snapshot: is missing; the last good backup is snapshot.2 ")
    follow_remedy(tmp_path, 8)


def test_a_damaged_journal_is_cut_where_the_damage_begins(tmp_path: Path) -> None:
    filled(tmp_path)
    journal = tmp_path / "journal.3"
    starts = [s for s, t in zip(line_starts(journal), journal.read_bytes().split(b"\n"), strict=False) if b'["C",7' in t]
    flip(journal, starts[0] + 3)

    assert told(tmp_path).startswith(f"{journal}: is damaged at byte {starts[0]}: a line is not as it was written")
    assert told(tmp_path).endswith(f"{journal} && rm {tmp_path}/acknowledged")
    follow_remedy(tmp_path, 6)


def test_a_journal_cut_in_half_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    journal = tmp_path / "journal.3"
    os.truncate(journal, journal.stat().st_size // 2)

    assert told(tmp_path) == (
        f"{journal}: ends at revision 6, and 8 had been reached: its end is lost; "
        "the last good backup is snapshot with its journal, at revision 6; "
        f"back to it: rm {tmp_path}/acknowledged"
    )
    follow_remedy(tmp_path, 6)


def test_a_missing_journal_leaves_the_snapshot(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "journal.3").unlink()

    assert told(tmp_path).startswith(f"{tmp_path}/journal.3: is missing, and snapshot needs it; ")
    follow_remedy(tmp_path, 5)


def test_with_a_damaged_snapshot_and_a_damaged_journal_of_the_backup_what_can_be_had_is_had(tmp_path: Path) -> None:
    filled(tmp_path)
    flip(tmp_path / "snapshot", 200)
    flip(tmp_path / "journal.2", line_starts(tmp_path / "journal.2")[-2] + 3)

    follow_remedy(tmp_path, 4)


def test_without_any_backup_a_new_beginning_is_the_remedy(tmp_path: Path) -> None:
    filled(tmp_path, compacts_after=())
    flip(tmp_path / "snapshot", 10)

    assert told(tmp_path) == (
        f"{tmp_path}/snapshot: is damaged at byte 0: its first line is not as it was written; "
        f"there is no good backup; moving {tmp_path} away {ANEW}"
    )


def test_a_folder_with_a_blank_in_its_name_is_quoted_in_the_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    filled(folder)
    flip(folder / "snapshot", 200)

    follow_remedy(folder, 8)


def test_a_damaged_backup_does_no_harm(tmp_path: Path) -> None:
    filled(tmp_path)
    flip(tmp_path / "snapshot.2", 200)
    flip(tmp_path / "journal.2", 20)

    assert MODEL.wrong(opened(tmp_path), 8, 8) == ""


def test_a_state_of_the_old_form_is_told_from_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")

    assert told(tmp_path) == (
        f"{tmp_path}/state.json: was written by an orch before 0.1.0 and is not read; moving it away {ANEW}"
    )


def test_a_snapshot_in_another_format_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "snapshot").write_bytes(b'd5ff5bbd ["S",3,"prod"]\n')

    assert told(tmp_path) == (
        f"{tmp_path}/snapshot: has format 3, and this orch reads 2; use the orch that wrote it"
    )


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "snapshot").mkdir()

    assert told(tmp_path) == f"{tmp_path}/snapshot: cannot be read: Is a directory"


def test_a_commit_goes_on_behind_a_transaction_that_was_broken_off(tmp_path: Path) -> None:
    filled(tmp_path, compacts_after=())
    with (tmp_path / "journal.1").open("ab") as journal:
        journal.write(b'12345678 ["volumes","counter",9,{"na')
    store = opened(tmp_path)

    MODEL.commit_next(store)

    assert MODEL.wrong(store, 9, 9) == ""
    assert MODEL.wrong(opened(tmp_path), 9, 9) == ""


@pytest.mark.parametrize("room", [0, 1, 60, 200])
def test_on_a_full_disk_a_commit_fails_and_all_before_it_stands(tmp_path: Path, room: int) -> None:
    disk = FullDisk()
    store = TinyStore(filled(tmp_path), CLUSTER, disk)
    disk.room = room
    for _ in range(2):
        with pytest.raises(StateError) as caught:
            store.commit(Changes(put=MODEL.changes(9).put * 1 or ()))
        disk.room = None  # Space comes back, and still nothing is written behind the half transaction.
        assert str(caught.value) == (
            f"{tmp_path}/journal.3: cannot be written: No space left on device; "
            "free some space, and run it again: all that was committed before stands"
        )
    assert MODEL.wrong(store, 8, 8) == ""
    again = opened(tmp_path)
    assert MODEL.wrong(again, 8, 8) == ""
    MODEL.commit_next(again)
    assert MODEL.wrong(opened(tmp_path), 9, 9) == ""


def test_a_compaction_without_space_harms_nothing_and_leaves_nothing_large(tmp_path: Path) -> None:
    disk = FullDisk()
    store = TinyStore(filled(tmp_path), CLUSTER, disk)
    MODEL.commit_next(store)
    disk.room = 100

    with pytest.raises(StateError, match=r"snapshot\.tmp: cannot be written: No space left on device"):
        store.compact()

    assert not (tmp_path / "snapshot.tmp").exists()
    again = opened(tmp_path)
    assert MODEL.wrong(again, 9, 9) == ""
    MODEL.commit_next(again)
    again.compact()
    assert MODEL.wrong(opened(tmp_path), 10, 10) == ""


def test_after_a_sync_that_failed_nothing_is_believed_and_none_is_tried_again(tmp_path: Path) -> None:
    disk = BrokenDisk()
    store = TinyStore(filled(tmp_path), CLUSTER, disk)
    disk.fails = True
    for _ in range(2):
        with pytest.raises(StateError, match="cannot be written: Input/output error; look after the disk"):
            MODEL.commit_next(store)

    assert disk.syncs == 1
    assert MODEL.wrong(store, 8, 8) == ""


def test_a_commit_stands_when_its_witness_cannot_be_written(tmp_path: Path) -> None:
    filled(tmp_path, compacts_after=())
    (tmp_path / "acknowledged").unlink()
    (tmp_path / "acknowledged").symlink_to("nowhere/at-all")
    store = opened(tmp_path)

    assert MODEL.commit_next(store) == 9
    with pytest.raises(StateError, match=re.escape(f"{tmp_path}/acknowledged: cannot be written: ")):
        MODEL.commit_next(store)
    assert MODEL.wrong(opened(tmp_path), 9, 9) == ""


class Interrupted(FullDisk):
    """Ctrl-C comes while it syncs."""

    def sync(self, file: int) -> None:
        super().sync(file)
        if self.room == 1 << 20:
            raise KeyboardInterrupt


def test_a_commit_that_ctrl_c_broke_off_is_not_written_twice(tmp_path: Path) -> None:
    disk = Interrupted()
    store = TinyStore(filled(tmp_path), CLUSTER, disk)
    disk.append = lambda file, data: FullDisk.append(disk, file, data)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        _interrupted(disk, store)

    with pytest.raises(StateError, match="writing was broken off; run it again"):
        store.commit(Changes(delete=(Key("volume", "counter"),)))
    assert MODEL.wrong(opened(tmp_path), 9, 9) == ""


def _interrupted(disk: Interrupted, store: TinyStore) -> None:
    MODEL.commit_next(store)


def run_in_mount_namespace(setup: str, *argv: str) -> subprocess.CompletedProcess[str]:
    script = f'{setup}\nexec "$@"'
    return subprocess.run(["unshare", "-m", "sh", "-ec", script, "sh", *argv], capture_output=True, text=True)


Spoil = Callable[[Path], object]


def orch(tmp_path: Path, setup: str = "") -> subprocess.CompletedProcess[str]:
    """`orch apply` of a stack onto a host that nobody reaches: it would first write down what is wanted."""
    (tmp_path / "inventory.yml").write_text(
        "all: {vars: {orch: {cluster: prod}}, hosts: {w1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n"
    )
    (tmp_path / "compose.yml").write_text("name: s\nservices: {a: {image: x}}\n")
    command = [sys.executable, "-m", "orch", "-i", "inventory.yml", "--state", "state", "apply", "-f", "compose.yml"]
    shell = ["unshare", "-m", "sh", "-ec", f'{setup}\nexec "$@"', "sh"] if setup else []
    return subprocess.run([*shell, *command], cwd=tmp_path, capture_output=True, text=True)


assert errno
