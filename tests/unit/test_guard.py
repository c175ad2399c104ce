"""Late commands are refused, starts can be seen and ended: the real shell texts, run by the shells of this machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orch.model.command import Argv, Command
from orch.model.fence import Fence, Mastership
from orch.model.node import Reachable
from orch.model.replica import Replica, Slot
from orch.observe.probe import parse_probe, probe_script
from orch.podman import guard
from orch.podman.files import cluster_folder

SHELLS = [
    pytest.param([path, *rest], id=name)
    for name, *rest in (("dash",), ("bash", "--posix"), ("busybox", "sh"))
    if (path := shutil.which(name))
]
FIRST, SECOND = Fence("0123456789abcdef", 4, 1), Fence("0123456789abcdef", 4, 2)
REPLICA = Replica("abcdefghijkl", Slot("shop", "web", 3), 2, "w1", "5bec", stop_grace=0)
IMAGE = "docker.io/library/nginx:1"
TOO_LATE = "orch: a later command has been here meanwhile, and this one came to nothing\n"
SECONDS_ALLOWED = 10


class Node:
    """A folder in place of a node's own, a podman that notes what it is told, and a shell."""

    def __init__(self, shell: list[str], folder: Path) -> None:
        self._shell, self.folder, self._bin = shell, folder / "orch", folder / "bin"
        self._bin.mkdir()
        self.told = folder / "told"
        self.told.touch()
        self._podman = f'#!/bin/sh\n[ $1 != --version ] || exec echo podman version 4.3.1\necho "$*" >>{self.told}\n'
        self.has("")

    def has(self, containers: str) -> None:
        """What `podman ps --quiet` lists."""
        program = self._bin / "podman"
        program.write_text(self._podman + f"[ $1 != ps ] || printf %s {containers!r}\n")
        program.chmod(0o755)

    def argv(self, command: Command) -> Argv:
        own = cluster_folder("prod")
        return tuple(str(self.folder) if word == own else word for word in command.argv)

    def begin(self, command: Command) -> subprocess.Popen[str]:
        """As the shell of a connection does it, whose input and output end with it."""
        argv = self.argv(command)
        assert argv[:2] in {("sh", "-c"), ("timeout", "-k")}
        at = argv.index("sh")
        return subprocess.Popen(
            [*argv[:at], *self._shell, *argv[at + 1 :]],
            env={"PATH": f"{self._bin}:{os.environ['PATH']}", **command.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, command: Command) -> tuple[int, str, str]:
        """Exit status, output, complaint."""
        process = self.begin(command)
        out, err = process.communicate(command.stdin, timeout=SECONDS_ALLOWED)
        return process.returncode, out, err

    def look(self, fence: Fence | None = None) -> Reachable:
        sent = time.time()
        script = probe_script("prod", fence=fence).replace(cluster_folder("prod"), str(self.folder))
        done = subprocess.run(
            self._shell,
            input=script,
            env={"PATH": f"{self._bin}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return parse_probe(done.stdout, sent, time.time())

    def tickets(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "starting").iterdir())


@pytest.fixture(params=SHELLS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    return Node(request.param, tmp_path)


class Held:
    """A start whose podman waits until it is told to go on."""

    def __init__(self, node: Node, folder: Path) -> None:
        self._go, up = folder / "go", folder / "up"
        os.mkfifo(self._go)
        os.mkfifo(up)
        script = f'echo podman >/dev/null; echo >{up}; read -r _ <{self._go}; echo "$(cat) $SECRET"; exit 3'
        command = Command(("sh", "-c", script), "from stdin\n", {"SECRET": "of the environment"})
        self.process = node.begin(guard.start("prod", FIRST, REPLICA, IMAGE, command))
        with up.open() as told:
            told.read()

    def go_on(self) -> tuple[int, str]:
        with self._go.open("w") as go:
            go.write("\n")
        out, _ = self.process.communicate("from stdin\n", timeout=SECONDS_ALLOWED)
        return self.process.returncode, out

    def kill(self) -> None:
        """With all that it has begun, as a power cut does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=SECONDS_ALLOWED)


@pytest.fixture
def held(node: Node, tmp_path: Path) -> Iterator[Held]:
    assert node.look(FIRST).problem == ""
    held = Held(node, tmp_path)
    yield held
    held.kill()


def test_what_follows_from_the_last_look_is_done_as_it_is(node: Node) -> None:
    node.look(FIRST)

    command = Command(("sh", "-c", 'echo "$(cat) $A $1"; echo no >&2; exit 7', "sh", "a b"), "in\n", {"A": "x"})

    assert node.run(guard.guarded("prod", FIRST, command)) == (7, "in x a b\n", "no\n")


def test_commands_of_one_look_do_not_wait_for_each_other(node: Node) -> None:
    node.look(FIRST)

    slow = node.begin(guard.guarded("prod", FIRST, Command(("sh", "-c", "echo begun; read -r _"))))
    assert slow.stdout is not None
    assert slow.stdout.readline() == "begun\n"
    assert node.run(guard.guarded("prod", FIRST, Command(("echo", "done"))))[:2] == (0, "done\n")
    slow.communicate("", timeout=SECONDS_ALLOWED)


def make(node: Node, status: int = 0) -> tuple[Path, Command]:
    """A folder that is there already, and a command that makes it anew when it is told to go on."""
    made = node.folder / "files" / REPLICA.id
    made.mkdir(parents=True)
    (made / "0").write_text("old")
    script = f"echo begun; read -r _; mkdir {made}.new; echo new >{made}.new/0; exit {status}"
    return made, guard.making("prod", FIRST, str(made), Command(("sh", "-c", script)))


def test_what_is_made_takes_its_place_whole(node: Node) -> None:
    node.look(FIRST)
    made, making = make(node)

    assert node.run(Command(making.argv, "go on\n"))[0] == 0
    assert ((made / "0").read_text(), list(made.parent.iterdir())) == ("new\n", [made])


def test_what_fails_in_being_made_leaves_nothing(node: Node) -> None:
    node.look(FIRST)
    made, making = make(node, 3)

    assert node.run(Command(making.argv, "go on\n"))[0] == 3
    assert ((made / "0").read_text(), list(made.parent.iterdir())) == ("old", [made])


def test_what_is_made_after_a_later_look_is_removed(node: Node) -> None:
    """The later one may have found that nobody wants it, and would never come back for it."""
    node.look(FIRST)
    made, making = make(node)

    late = node.begin(making)
    assert late.stdout is not None
    assert late.stdout.readline() == "begun\n"
    node.look(SECOND)
    shutil.rmtree(made)
    _, complaint = late.communicate("go on\n", timeout=SECONDS_ALLOWED)

    assert (late.returncode, complaint) == (guard.REFUSED, TOO_LATE)
    assert list(made.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("left", "complaint"),
    [
        (SECOND, TOO_LATE),
        (Fence(FIRST.owner, 5, 1), TOO_LATE),
        (Fence("fedcba9876543210", 1, 1), "orch: another state of this cluster has taken the node over\n"),
        (None, "orch: another state of this cluster has taken the node over\n"),
    ],
)
def test_what_comes_too_late_is_refused(node: Node, left: Fence | None, complaint: str) -> None:
    node.look(left)
    mark = node.folder / "mark"
    command = Command(("touch", str(mark)))

    assert node.run(guard.guarded("prod", FIRST, command)) == (guard.REFUSED, "", complaint)
    assert node.run(guard.start("prod", FIRST, REPLICA, IMAGE, command)) == (guard.REFUSED, "", complaint)
    assert not mark.exists()
    assert node.tickets() == []


def test_a_look_that_comes_too_late_is_no_look(node: Node) -> None:
    node.look(SECOND)

    problem = node.look(FIRST).problem
    assert problem.startswith("a later command of orch has been here, so this one changes nothing")
    assert node.look(Fence(FIRST.owner, 3, 9)).problem != ""
    assert (node.folder / "fence").read_text().split() == str(SECOND).split()
    assert node.look(SECOND).problem == ""
    assert node.look(Fence(FIRST.owner, 5, 1)).problem == ""


def test_terms_only_go_up_and_follow_the_clock() -> None:
    held = Mastership("0123456789abcdef", 7)

    assert held.succeeded(1_700_000_000.9) == Mastership("0123456789abcdef", 1_700_000_000)
    assert held.succeeded(1_700_000_000.9).succeeded(1_600_000_000.0).term == 1_700_000_001


def test_one_who_only_looks_leaves_nothing(node: Node) -> None:
    assert node.look().problem == ""
    assert not node.folder.exists()


def test_where_nothing_can_be_left_nothing_can_be_done(node: Node) -> None:
    node.folder.write_text("in the way")

    assert "cannot be written" in node.look(FIRST).problem


def test_a_start_is_seen_while_it_is_under_way(node: Node, held: Held) -> None:
    for fence in (None, SECOND):
        (seen,) = node.look(fence).containers
        assert (seen.replica, seen.slot, seen.attempt) == (REPLICA.id, REPLICA.slot, REPLICA.attempt)
        assert (seen.state, seen.spec_hash, seen.image, seen.id) == ("starting", "5bec", IMAGE, "")
    assert node.look(SECOND).containers != ()

    assert held.go_on() == (3, "from stdin of the environment\n")
    assert node.look(SECOND).containers == ()
    assert node.tickets() == []


def test_a_start_that_died_without_a_word_is_none(node: Node, held: Held) -> None:
    held.kill()

    assert node.look().containers == ()
    assert len(node.tickets()) == 1
    assert node.look(SECOND).containers == ()
    assert node.tickets() == []


def test_what_goes_on_after_a_start_holds_no_ticket(node: Node) -> None:
    node.look(FIRST)
    # It leaves the output alone, as a container does.
    command = Command(("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"))

    status, out, _ = node.run(guard.start("prod", FIRST, REPLICA, IMAGE, command))
    try:
        assert status == 0
        assert node.run(guard.guarded("prod", FIRST, Command(("true",)))) == (0, "", "")
        descriptors = {os.readlink(path) for path in Path(f"/proc/{int(out)}/fd").iterdir()}
        assert not {path for path in descriptors if str(node.folder) in path}
    finally:
        os.kill(int(out), signal.SIGKILL)


def test_a_start_is_ended_with_all_that_it_made(node: Node, held: Held) -> None:
    node.has("c0ffee\n")

    assert node.run(guard.end_start("prod", REPLICA))[0] == 0

    assert held.process.wait(timeout=SECONDS_ALLOWED) != 0
    assert node.tickets() == []
    told = node.told.read_text().splitlines()
    assert "ps --all --quiet --filter label=orch.replica=abcdefghijkl" in told
    assert "rm --force --ignore --volumes --time 0 -- c0ffee" in told


def test_only_the_start_of_that_replica_is_ended(node: Node, held: Held) -> None:
    other = Replica("lkjihgfedcba", Slot("shop", "web", 3), 2, "w1", "5bec")

    assert node.run(guard.end_start("prod", other))[0] == 0

    assert held.go_on() == (3, "from stdin of the environment\n")


def test_a_start_whose_end_was_broken_off_is_still_seen(node: Node, held: Held) -> None:
    # It leaves the start alone, which it cannot find to be anybody's.
    (ticket,) = node.tickets()
    path = node.folder / "starting" / ticket
    path.write_text(path.read_text().splitlines()[0] + "\n1\n")
    ending = node.begin(guard.end_start("prod", REPLICA))
    while not (node.folder / "starting" / f"{ticket}.end").exists():
        assert ending.poll() is None
    assert [c.state for c in node.look().containers] == ["starting"]
    assert ending.poll() is None
    os.killpg(ending.pid, signal.SIGKILL)
    ending.communicate(timeout=SECONDS_ALLOWED)

    assert [c.state for c in node.look(SECOND).containers] == ["starting"]
    node.has("c0ffee\n")
    assert held.go_on()[0] == 3
    assert node.look(SECOND).containers == ()
    assert node.tickets() == []
    assert "rm --force --ignore --volumes --time 0 -- c0ffee" in node.told.read_text().splitlines()


def test_a_mark_without_its_ticket_goes_with_the_next_look(node: Node) -> None:
    node.look(FIRST)
    (node.folder / "starting" / "abcdefghijkl.4.1.end").touch()

    assert node.look().problem == ""
    assert node.tickets() == ["abcdefghijkl.4.1.end"]
    node.look(SECOND)
    assert node.tickets() == []


def test_what_cannot_be_told_is_not_begun(node: Node) -> None:
    node.look(FIRST)
    (node.folder / "starting" / "abcdefghijkl.4.1").symlink_to("/dev/full")
    mark = node.folder / "mark"

    assert node.run(guard.start("prod", FIRST, REPLICA, IMAGE, Command(("touch", str(mark)))))[0] == 1
    assert not mark.exists()


def test_a_start_of_which_nothing_can_be_read_is_no_absence(node: Node) -> None:
    node.look(FIRST)
    with (node.folder / "starting" / "abcdefghijkl.4.1").open("w") as ticket:
        fcntl.flock(ticket, fcntl.LOCK_EX)
        assert "of which nothing can be read" in node.look().problem


def test_files_get_the_mode_that_they_would_have_had(node: Node) -> None:
    node.look(FIRST)
    mode = "umask"

    unguarded = node.run(Command(("sh", "-c", mode, "sh")))
    assert node.run(guard.guarded("prod", FIRST, Command(("sh", "-c", mode)))) == unguarded
    assert node.run(guard.start("prod", FIRST, REPLICA, IMAGE, Command(("sh", "-c", mode)))) == unguarded


def test_a_fence_needs_no_more_room_than_the_one_before(node: Node) -> None:
    node.look(FIRST)
    before = (node.folder / "fence").stat()

    node.look(SECOND)

    after = (node.folder / "fence").stat()
    assert (after.st_ino, after.st_size, after.st_blocks) == (before.st_ino, before.st_size, before.st_blocks)
    assert (node.folder / "fence").read_text().split() == str(SECOND).split()


def test_there_may_be_nothing_to_end(node: Node) -> None:
    assert node.run(guard.end_start("prod", REPLICA)) == (0, "", "")
    node.look(FIRST)
    assert node.run(guard.end_start("prod", REPLICA)) == (0, "", "")


def test_an_id_that_is_none_of_ours_reaches_no_shell() -> None:
    evil = Replica("../../etc", Slot("shop", "web", 3), 2, "w1", "5bec")

    with pytest.raises(ValueError, match="none of orch's"):
        guard.start("prod", FIRST, evil, IMAGE, Command(("true",)))
    with pytest.raises(ValueError, match="none of orch's"):
        guard.end_start("prod", evil)
