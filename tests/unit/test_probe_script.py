"""The probe's shell text, run by the shells of this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from orch.model.node import Reachable
from orch.observe.probe import parse_probe, probe_script

TOOLS = ("cat", "cut", "date", "df", "grep", "head", "nproc", "sed", "sh", "sleep", "tail", "timeout", "uname", "xargs")
SHELLS = [
    [shutil.which(name) or name, *rest] for name, *rest in (("sh",), ("bash",), ("busybox", "sh")) if shutil.which(name)
]
CONTAINER = (
    '["id","s.w.1","exited",3,true,"2024-01-01T00:00:00Z",0,{"orch.stack":"s","orch.service":"w","orch.slot":"1",'
    '"orch.attempt":"1","orch.replica":"r","orch.spec":"h"},"image",{},""]'
)

IMAGES = "echo image localhost/b 1 sha256:ab; echo image localhost/a '<none>' sha256:cd"
"""What podman says of two images, one of which has lost its tag."""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with what every host has, and no podman."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    return tmp_path


def install_podman(programs: Path, ps: str, inspect: str = "", images: str = IMAGES) -> None:
    """A podman that lists and inspects with these shell commands."""
    path = programs / "podman"
    path.write_text(
        f"#!{shutil.which('sh')}\n"
        'case "$1" in\n'
        "--version) echo podman version 4.3.1 ;;\n"
        f'ps) echo "$*" > {programs}/asked; {ps} ;;\n'
        f'container) echo "$*" >> {programs}/asked; {inspect or ":"} ;;\n'
        f'images) echo "$*" >> {programs}/inventory; {images} ;;\n'
        f'volume) echo "$*" >> {programs}/inventory; echo "volume data" ;;\n'
        "esac\n"
    )
    path.chmod(0o755)


def probe(shell: list[str], programs: Path, sample: float = 0, *, inventory: bool = False) -> Reachable:
    sent = time.time()
    done = subprocess.run(
        shell,
        input=probe_script("prod", sample, inventory=inventory),
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return parse_probe(done.stdout, sent, time.time())


@pytest.mark.parametrize("shell", SHELLS)
def test_this_machine_is_read_without_podman(shell: list[str], programs: Path) -> None:
    found = probe(shell, programs)

    assert found.problem == "podman is missing; install it with the system's package manager"
    assert (found.facts.kernel, found.facts.arch) == (os.uname().release, os.uname().machine)
    assert 0 < found.facts.capacity.millicpus <= (os.cpu_count() or 0) * 1000
    assert 0 < found.facts.memory_used < found.facts.capacity.memory
    assert abs(found.facts.clock_skew) <= found.facts.clock_error < 5
    assert found.facts.cpu_used is None


def test_cpu_use_is_measured_over_the_time_given(programs: Path) -> None:
    used = probe(SHELLS[0], programs, sample=0.1).facts.cpu_used

    assert used is not None
    assert used >= 0


@pytest.mark.parametrize("shell", SHELLS)
def test_containers_are_listed_and_inspected(shell: list[str], programs: Path) -> None:
    describe = f"echo container {shlex.quote(CONTAINER)}"
    install_podman(programs, "echo one; echo two", f"{describe}; {describe}")
    found = probe(shell, programs)

    assert (found.problem, found.facts.podman) == ("", "4.3.1")
    assert [(c.id, c.state, c.exit_code, c.oom_killed) for c in found.containers] == [("id", "exited", 3, True)] * 2
    asked = (programs / "asked").read_text().splitlines()
    assert asked[0] == "ps --all --quiet --no-trunc --filter label=orch.cluster=prod"
    assert asked[1].startswith("container inspect --format container [{{json .ID}},")
    assert asked[1].endswith(" one two")
    assert len(asked) == 2


@pytest.mark.parametrize("shell", SHELLS)
def test_no_containers_are_an_empty_list_and_no_problem(shell: list[str], programs: Path) -> None:
    install_podman(programs, ":", "echo inspected nothing >&2; exit 125")
    found = probe(shell, programs)

    assert (found.problem, found.containers) == ("", ())


def test_the_time_that_podman_takes_is_no_skew(programs: Path) -> None:
    install_podman(programs, "sleep 2")
    found = probe(SHELLS[0], programs)

    assert abs(found.facts.clock_skew) <= found.facts.clock_error < 0.9


def test_what_podman_warns_of_while_it_lists_is_no_container(programs: Path) -> None:
    install_podman(programs, "echo 'WARN[0000] slow disk' >&2; echo one", f"echo container {shlex.quote(CONTAINER)}")
    found = probe(SHELLS[0], programs)

    assert (found.problem, [c.id for c in found.containers]) == ("", ["id"])


HANGS = "podman gave no answer within 20 s; if it hangs, `podman ps` there hangs too, and mostly a restart of the host "


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("status", [124, 137])
def test_podman_that_hangs_is_a_problem(shell: list[str], programs: Path, status: int) -> None:
    # As timeout(1) says that it had to end a command, and that it had to kill it.
    install_podman(programs, f"exit {status}")

    assert probe(shell, programs).problem.startswith(HANGS)


def install_timeout(programs: Path, gives_up: str) -> None:
    """A timeout(1) that ends commands that begin with these words at once. busybox's shell has its own."""
    path = programs / "timeout"
    path.unlink()
    path.write_text(f'#!{shutil.which("sh")}\nshift 3\ncase "$*" in "{gives_up}"*) exit 124 ;; esac\nexec "$@"\n')
    path.chmod(0o755)


@pytest.mark.parametrize("shell", SHELLS[:2])
def test_podman_that_hangs_while_it_describes_is_a_problem(shell: list[str], programs: Path) -> None:
    install_podman(programs, "echo one")
    install_timeout(programs, "xargs podman")

    assert probe(shell, programs).problem.startswith(HANGS)


@pytest.mark.parametrize("shell", SHELLS[:2])
def test_podman_that_hangs_before_it_tells_its_version_holds_nobody_up(shell: list[str], programs: Path) -> None:
    install_podman(programs, ":")
    install_timeout(programs, "podman --version")
    found = probe(shell, programs)

    assert (found.facts.podman, found.problem) == ("unknown", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_podman_that_cannot_list_says_why(shell: list[str], programs: Path) -> None:
    install_podman(programs, "echo warning >&2; echo Error: no database >&2; exit 125")

    assert probe(shell, programs).problem == "podman does not answer: Error: no database"


def test_a_container_that_goes_meanwhile_is_not_listed_the_second_time(programs: Path) -> None:
    ps = f"echo one; [ -e {programs}/again ] || echo two; : >{programs}/again"
    install_podman(programs, ps, f"echo container {shlex.quote(CONTAINER)}; exit 125")
    found = probe(SHELLS[0], programs)

    assert (found.problem, [c.id for c in found.containers]) == ("", ["id"])


@pytest.mark.parametrize(
    ("inspect", "described"),
    [("echo Error: database is locked >&2; exit 125", 0), (f"echo container {shlex.quote(CONTAINER)}; exit 125", 1)],
)
def test_podman_that_lists_but_does_not_describe_is_a_problem_and_no_shorter_list(
    programs: Path, inspect: str, described: int
) -> None:
    install_podman(programs, "echo one; echo two", inspect)

    expected = f"podman does not answer: lists 2 containers and describes {described}"
    assert probe(SHELLS[0], programs).problem == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_images_and_volumes_are_listed_when_asked_for(shell: list[str], programs: Path) -> None:
    install_podman(programs, "echo 1", f"echo 'container {CONTAINER}'")
    seen = probe(shell, programs, inventory=True)
    assert seen.images == ("localhost/a@sha256:cd", "localhost/b:1", "localhost/b@sha256:ab")
    assert seen.volumes == ("data",)
    assert (len(seen.containers), seen.problem) == (1, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_nobody_asks_podman_for_images_otherwise(shell: list[str], programs: Path) -> None:
    install_podman(programs, ":")
    seen = probe(shell, programs)
    assert (seen.images, seen.volumes) == (None, None)
    assert not (programs / "inventory").exists()


def test_images_that_cannot_be_listed_are_unknown_and_cost_nothing_else(programs: Path) -> None:
    install_podman(programs, ":", images="echo image localhost/b 1 sha256:ab; exit 125")
    seen = probe(["/bin/sh"], programs, inventory=True)
    assert (seen.images, seen.volumes, seen.problem) == (None, ("data",), "")
