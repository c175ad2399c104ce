"""What is said of a folder that cannot be used, and that the remedy in the message is one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orch.errors import StateError
from orch.store.files import Disk
from orch.store.lock import exclusive
from orch.store.protocol import Changes, Key
from orch.store.records import line
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
    start = journal.read_bytes().index(b'["C",7') - len("12345678 ")
    flip(journal, start + 3)

    assert told(tmp_path).startswith(f"{journal}: is damaged at byte {start}: a line is not as it was written")
    assert told(tmp_path).endswith(f"{journal} && rm {tmp_path}/acknowledged")
    follow_remedy(tmp_path, 6)


def test_a_journal_cut_in_half_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    journal = tmp_path / "journal.3"
    os.truncate(journal, journal.read_bytes().index(b'["C",7'))

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

    assert "the last good backup is snapshot.2 with its journal, at revision 4; " in told(tmp_path)
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

    assert told(folder).endswith(f"back to it: mv '{folder}/snapshot.2' '{folder}/snapshot'")
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
    (tmp_path / "snapshot").write_bytes(line(["S", 3, "prod"]))

    assert told(tmp_path) == (f"{tmp_path}/snapshot: has format 3, and this orch reads 2; use the orch that wrote it")


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
            MODEL.commit_next(store)
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
    MODEL.commit_next(store)
    disk.fails, disk.syncs = True, 0
    for _ in range(2):
        with pytest.raises(StateError, match="cannot be written: Input/output error; look after the disk"):
            MODEL.commit_next(store)

    assert disk.syncs == 1
    assert MODEL.wrong(store, 9, 9) == ""


def test_a_commit_stands_when_its_witness_cannot_be_written(tmp_path: Path) -> None:
    filled(tmp_path, compacts_after=())
    (tmp_path / "acknowledged").unlink()
    (tmp_path / "acknowledged").symlink_to("nowhere/at-all")
    store = opened(tmp_path)

    assert MODEL.commit_next(store) == 9
    with pytest.raises(StateError, match=re.escape(f"{tmp_path}/acknowledged: cannot be written: ")):
        MODEL.commit_next(store)
    assert MODEL.wrong(opened(tmp_path), 9, 9) == ""


class Interrupted(Disk):
    """Ctrl-C comes just when the next sync is done."""

    comes = False

    def sync(self, file: int) -> None:
        super().sync(file)
        if self.comes:
            raise KeyboardInterrupt


def test_a_commit_that_ctrl_c_broke_off_is_not_written_twice(tmp_path: Path) -> None:
    disk = Interrupted()
    store = TinyStore(filled(tmp_path, last=7), CLUSTER, disk)
    MODEL.commit_next(store)
    disk.comes = True
    with pytest.raises(KeyboardInterrupt):
        MODEL.commit_next(store)
    disk.comes = False

    with pytest.raises(StateError, match=r"journal\.3: writing was broken off; run it again"):
        store.commit(Changes(delete=(Key("volume", "counter"),)))
    assert MODEL.wrong(opened(tmp_path), 9, 9) == ""


class Place:
    """Someone with an inventory of one host, which nobody reaches, and a state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        (folder / "inventory.yml").write_text(
            "all:\n  vars: {orch: {cluster: prod}}\n  hosts: {w1: {ansible_host: 127.0.0.1, ansible_port: 1}}\n"
        )
        text = "x" * 10_000
        (folder / "compose.yml").write_text(f"name: s\nservices: {{a: {{image: x, environment: {{A: {text}}}}}}}\n")

    def fill(self) -> None:
        with exclusive(self.state):
            filled(self.state)

    def orch(self, *words: str, mounted: str = "") -> str:
        """The one line that a failed command says, after `mounted` was done in a mount namespace of its own."""
        command = [sys.executable, "-c", "from orch.cli.main import main; main()", "--state", str(self.state), *words]
        if mounted:
            flags = "-m" if os.geteuid() == 0 else "-rm"
            command = ["unshare", flags, "sh", "-ec", f'{mounted}\nexec "$@"', "sh", *command]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        return done.stderr.removesuffix("\n")

    def apply(self, mounted: str = "") -> str:
        return self.orch("apply", "-f", "compose.yml", mounted=mounted)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


FILL = "cat /dev/zero >{0}/filler 2>/dev/null || true"


def test_orch_on_a_full_disk_names_the_file_and_the_remedy(place: Place) -> None:
    place.fill()
    tmpfs = "cp -a {0} {0}.kept; mount -t tmpfs -o size=256k none {0}; cp -a {0}.kept/. {0}; " + FILL

    assert place.apply(tmpfs.format(place.state)) == (
        f"orch: {place.state}/journal.3: cannot be written: No space left on device; "
        "free some space, and run it again: all that was committed before stands"
    )


def test_orch_on_a_disk_that_was_full_before_it_began(place: Place) -> None:
    place.state.mkdir()
    tmpfs = "mount -t tmpfs -o size=64k none {0}; " + FILL

    assert place.apply(tmpfs.format(place.state)) == (
        f"orch: {place.state}: cannot be used for state: No space left on device; --state names another"
    )


def test_orch_with_a_folder_that_cannot_be_written_to(place: Place) -> None:
    place.fill()
    read_only = f"mount --bind {place.state} {place.state}; mount -o remount,bind,ro {place.state}"

    assert place.apply(read_only) == (
        f"orch: {place.state}: cannot be used for state: Read-only file system; --state names another"
    )


def test_orch_with_a_state_that_another_process_holds(place: Place) -> None:
    with exclusive(place.state):
        assert place.apply() == f"orch: {place.state}: in use by process {os.getpid()}; wait for it or end it"


@pytest.mark.parametrize("words", [("ps",), ("apply", "-f", "compose.yml")], ids=["ps", "apply"])
def test_orch_with_a_state_cut_in_half(place: Place, words: tuple[str, ...]) -> None:
    place.fill()
    snapshot = place.state / "snapshot"
    os.truncate(snapshot, snapshot.stat().st_size // 2)

    said = place.orch(*words)
    assert said.startswith(f"orch: {snapshot}: is damaged at byte ")
    assert said.endswith(f"at revision 8; back to it: mv {place.state}/snapshot.2 {snapshot}")


@pytest.mark.parametrize("name", ["snapshot", "journal.3"])
def test_orch_with_flipped_bits_in_its_state(place: Place, name: str) -> None:
    place.fill()
    flip(place.state / name, 100)

    said = place.apply()
    assert said.startswith(f"orch: {place.state / name}: is damaged at byte ")
    assert "; back to it: " in said
