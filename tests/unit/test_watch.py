"""The loop that watches a node's figures, in the shells of this machine, and the reading of its frames."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from orch.observe.figures import CpuTime, cpu_between
from orch.observe.watch import Event, Frame, parse_frame, parse_line, watch_script
from tests.unit import trees
from tests.unit.shells import SHELLS

NOW = 1_700_000_000.0
LINE = (
    "node\tuptime 1000.25\tload 0.42\tcpu usec 7000000\tMemTotal 2013840\tMemAvailable 1500000\tmemory_max max\t"
    "memory_current \tmemory_cache \n"
)


@contextmanager
def loop(shell: Sequence[str], script: str, programs: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*shell, "-c", script],
        env={"PATH": str(programs)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def frames(running: subprocess.Popen[str], count: int) -> list[Frame]:
    assert running.stdout is not None
    return [parse_frame(running.stdout.readline(), NOW) for _ in range(count)]


@pytest.fixture
def only_sleep(tmp_path: Path) -> Path:
    """A folder with the one program that the loop may start."""
    return trees.programs(tmp_path / "bin", "sleep")


@pytest.mark.parametrize("shell", SHELLS)
def test_this_machine_is_watched_with_no_program_but_sleep(shell: Sequence[str], only_sleep: Path) -> None:
    with loop(shell, watch_script(0.05), only_sleep) as running:
        first, *_, last = frames(running, 4)
        running.kill()
        assert running.stderr is not None
        assert running.stderr.read() == ""

    assert 0.1 < last.cpu.uptime - first.cpu.uptime < 30
    assert 0 < first.memory_used < first.memory
    used = cpu_between(first.cpu, last.cpu)
    assert used is not None
    assert used >= 0


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (trees.ALPINE, Frame(NOW, CpuTime(1000.25, 15.5), 2013840 << 10, (2013840 - 1500000) << 10, 0.42)),
        (trees.FEDORA, Frame(NOW, CpuTime(1000.25, 15.5), 2013840 << 10, (2013840 - 1500000) << 10, 0.42)),
        (trees.LIMITED_V2, Frame(NOW, CpuTime(1000.25, 7.0), 1 << 30, 500 << 20, 0.42)),
        (trees.LIMITED_V1, Frame(NOW, CpuTime(1000.25, 9.0), 512 << 20, 200_000_000, 0.42)),
    ],
    ids=["alpine", "fedora", "limited-v2", "limited-v1"],
)
def test_hosts_of_every_kind_are_watched(
    shell: Sequence[str], tree: dict[str, str], expected: Frame, tmp_path: Path, only_sleep: Path
) -> None:
    script = trees.reading(watch_script(5), trees.plant(tmp_path, tree))
    with loop(shell, script, only_sleep) as running:
        assert frames(running, 1) == [expected]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("disposition", [signal.SIG_DFL, signal.SIG_IGN], ids=["SIGPIPE kills", "SIGPIPE ignored"])
def test_the_loop_ends_when_nobody_reads_it(
    shell: Sequence[str], disposition: signal.Handlers, only_sleep: Path
) -> None:
    before = signal.signal(signal.SIGPIPE, disposition)
    try:
        # A child inherits what is ignored; Popen would restore the default otherwise.
        running = subprocess.Popen(
            [*shell, "-c", watch_script(0.05)],
            env={"PATH": str(only_sleep)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            restore_signals=False,
        )
    finally:
        signal.signal(signal.SIGPIPE, before)
    with running:
        frames(running, 2)
        assert running.stdout is not None
        running.stdout.close()
        assert running.wait(timeout=20) == (-signal.SIGPIPE if disposition == signal.SIG_DFL else 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_loop_that_cannot_sleep_ends_instead_of_spinning(shell: Sequence[str], tmp_path: Path) -> None:
    with loop(shell, watch_script(0.05), tmp_path) as running:
        frames(running, 1)
        # Some busyboxes have their own sleep, wherever it is looked for.
        if shell[-1] == "--posix" or shell[-1].endswith("/sh"):
            assert running.wait(timeout=20) == 1


def test_while_it_sleeps_the_shell_alone_holds_the_connection(only_sleep: Path) -> None:
    with loop(SHELLS[0], watch_script(10), only_sleep) as running:
        frames(running, 1)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        while not children.read_text():
            time.sleep(0.01)
        (sleeping,) = children.read_text().split()
        while Path(f"/proc/{sleeping}/comm").read_text() != "sleep\n":
            time.sleep(0.01)
        running.kill()
        assert running.stdout is not None
        # A sleeping child with an end of the pipe would keep this from ending before it.
        began = time.monotonic()
        assert running.stdout.read() == ""
        assert time.monotonic() - began < 8


EVENTS = (
    '{"ID":"c0ffee","Image":"nginx","Name":"shop.web.1","Status":"start","Type":"container","Attributes":{"x":"1"}}',
    '{"ContainerExitCode":137,"ID":"c0ffee","Name":"shop.web.1","Status":"died","Type":"container"}',
    '{"ID":"c0ffee","Name":"shop.web.1","Status":"health_status","HealthStatus":"unhealthy","Type":"container"}',
)
"""As podman 4.3 prints them."""


def test_events_are_read_beside_frames() -> None:
    assert [parse_line(line, NOW) for line in EVENTS] == [
        Event("shop.web.1", "start"),
        Event("shop.web.1", "died"),
        Event("shop.web.1", "health_status", "unhealthy"),
    ]
    assert parse_line(LINE, NOW) == parse_frame(LINE, NOW)


@pytest.mark.parametrize("line", ["{", '{"Name":3}', "{}x"])
def test_garbage_in_an_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_line(line, NOW)


@pytest.mark.parametrize("shell", SHELLS)
def test_podman_tells_of_the_cluster_s_containers_on_the_same_channel_and_ends_with_it(
    shell: Sequence[str], only_sleep: Path, tmp_path: Path
) -> None:
    trees.programs(only_sleep, "sh")
    asked, ended = tmp_path / "asked", tmp_path / "ended"
    podman = only_sleep / "podman"
    lines = "".join(f"echo '{line}'; " for line in EVENTS)
    podman.write_text(
        f"#!{only_sleep}/sh\ntrap 'echo >{ended}; exit' TERM\n"
        f'echo "$*" >{asked}\n{lines}\nwhile :; do sleep 0.01; done\n'
    )
    podman.chmod(0o755)
    with loop(shell, watch_script(0.05, cluster="it's"), only_sleep) as running:
        assert running.stdout is not None
        seen: list[Event] = []
        while len(seen) < len(EVENTS):
            if isinstance(found := parse_line(running.stdout.readline(), NOW), Event):
                seen.append(found)
        running.stdout.close()
        assert running.wait(timeout=20) == 0
    assert "--filter label=orch.cluster=it's" in asked.read_text()
    until = time.monotonic() + 20
    while not ended.exists():
        assert time.monotonic() < until


def test_a_frame_is_read() -> None:
    assert parse_frame(LINE, NOW) == Frame(
        at=NOW, cpu=CpuTime(1000.25, 7.0), memory=2013840 << 10, memory_used=(2013840 - 1500000) << 10, load=0.42
    )


def test_figures_that_are_not_known_yet_are_passed_over() -> None:
    assert parse_frame(LINE.replace("\n", "\tpressure 0.5\n"), NOW) == parse_frame(LINE, NOW)


@pytest.mark.parametrize("missing", ["uptime", "load", "cpu", "MemTotal", "MemAvailable"])
def test_a_frame_without_what_every_node_has_is_refused(missing: str) -> None:
    without = "\t".join(entry for entry in LINE.split("\t") if not entry.startswith(f"{missing} "))
    with pytest.raises(ValueError, match=f"^a frame of figures has no {missing}$"):
        parse_frame(without, NOW)


@pytest.mark.parametrize(
    ("whole", "broken"),
    [
        ("uptime 1000.25", "uptime soon"),
        ("uptime 1000.25", "uptime nan"),
        ("load 0.42", "load inf"),
        ("usec 7000000", "usec"),
        ("usec 7000000", f"usec {1 << 63}"),
        ("cpu usec 7000000", "cpu stat cpu 1 2"),
        ("memory_max max", "memory_max much"),
    ],
)
def test_garbage_in_a_frame_is_refused(whole: str, broken: str) -> None:
    with pytest.raises(ValueError, match=r"^a frame of figures cannot be read: "):
        parse_frame(LINE.replace(whole, broken), NOW)


@pytest.mark.parametrize("line", ["", "\n", '{"Name":"web"}', "nodes\tuptime 1", "motd: node"])
def test_what_else_comes_over_the_channel_is_no_frame(line: str) -> None:
    with pytest.raises(ValueError, match=r"^not a frame of figures: "):
        parse_frame(line, NOW)


def test_the_script_is_told_how_often() -> None:
    assert watch_script().startswith("interval=2\ncluster_filter=''\n")
    assert watch_script(0.5).startswith("interval=0.5\n")
