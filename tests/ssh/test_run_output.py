"""`orch run` whose output nobody reads: it holds little, goes on with all else, and can be ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.ssh.conftest import Sshd, nap, running

SECONDS = 20.0
ORCH = str(Path(sys.executable).with_name("orch"))
LIMIT_RSS = 160 << 20


@pytest.fixture
def inventory(sshd: Sshd, tmp_path: Path) -> Path:
    """One host over SSH, and one that is this machine."""
    path = tmp_path / "inventory.yml"
    path.write_text(
        f"""
all:
  vars: {{orch: {{cluster: t}}}}
  hosts:
    far:
      ansible_host: 127.0.0.1
      ansible_port: {sshd.port}
      ansible_ssh_private_key_file: {sshd.folder}/client_key
      ansible_ssh_common_args: -F /dev/null -o UserKnownHostsFile={sshd.folder}/known_hosts
    here: {{ansible_connection: local}}
"""
    )
    return path


@contextmanager
def orch_run(inventory: Path, *words: str, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    argv = [ORCH, "run", "-i", str(inventory), *words]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_full(process: subprocess.Popen[bytes]) -> None:
    """Until the pipe takes no more."""
    deadline = time.monotonic() + SECONDS
    with open(f"/proc/{process.pid}/fd/1", "wb") as pipe:
        while select.select([], [pipe], [], 0)[1] or select.select([], [pipe], [], 0.2)[1]:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("order", ["--live", "--ordered"])
@pytest.mark.parametrize("stderr", [subprocess.PIPE, subprocess.STDOUT], ids=["stdout", "both"])
def test_ctrl_c_ends_what_is_stuck(inventory: Path, order: str, stderr: int) -> None:
    word = f"stuck-{nap()}"
    with orch_run(inventory, order, "all", "--", f"yes {word}", stderr=stderr) as process:
        wait_until_full(process)
        assert running("yes", word)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr is None or process.stderr.read() == b"\norch: interrupted\n"
    assert not running("yes", word)


def test_json_that_is_stuck_can_be_interrupted(inventory: Path) -> None:
    with orch_run(inventory, "-o", "json", "all", "--", "head -c 3000000 /dev/zero") as process:
        wait_until_full(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130


def test_memory_stays_small_and_other_hosts_go_on(inventory: Path, tmp_path: Path) -> None:
    word, go, seen = f"stuck-{nap()}", tmp_path / "go", tmp_path / "seen"
    # The other one waits for a file, then leaves one: its connection and its time are not those of what is stuck.
    script = f"case $SSH_CONNECTION in ?*) until [ -e {go} ]; do sleep 0.05; done; touch {seen};; *) yes {word}; esac"
    with orch_run(inventory, "--live", "all", "--max-time", "30", "--", script) as process:
        wait_until_full(process)
        go.touch()
        wait_for(seen)
        assert psutil.Process(process.pid).memory_info().rss < LIMIT_RSS
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130


@pytest.mark.parametrize("order", ["--live", "--ordered"])
def test_what_was_stuck_comes_whole_and_in_order_once_it_is_read(inventory: Path, order: str) -> None:
    count = 300_000
    with orch_run(inventory, order, "all", "--", f"seq {count}") as process:
        wait_until_full(process)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stderr == b"2 ok\n"
    lines = stdout.splitlines()
    for host in (b"far ", b"here"):
        assert [line for line in lines if line.startswith(host)] == [b"%b | %d" % (host, n + 1) for n in range(count)]
    assert order == "--live" or lines == sorted(lines, key=lambda line: line[:4])


def test_time_runs_out_while_output_is_stuck_too(inventory: Path) -> None:
    word = f"stuck-{nap()}"
    with orch_run(inventory, "far", "--max-time", "1", "--", f"yes {word}") as process:
        wait_until_full(process)
        deadline = time.monotonic() + SECONDS
        while running("yes", word):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        _, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert stderr == b"orch: far: was ended after 1 s\n1 without result (far)\n"


def test_a_host_that_is_silent_for_too_long_is_named(inventory: Path) -> None:
    seconds = nap()
    script = f'[ -z "$SSH_CONNECTION" ] || exec sleep {seconds}'
    with orch_run(inventory, "all", "--max-silence", "0.5", "--", script) as process:
        stdout, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stdout) == (3, b"")
    assert stderr == (b"orch: far: was ended after it had printed nothing for 0.5 s\n1 ok, 1 without result (far)\n")
    assert not running("sleep", seconds)


@pytest.mark.parametrize("where", ["/dev/full", "closed"])
def test_output_that_cannot_be_written_is_an_error_of_ours(inventory: Path, where: str) -> None:
    redirection = f">{where}" if where != "closed" else ">&-"
    argv = f"exec {ORCH} run -i {inventory} all -- 'echo out' {redirection}"
    done = subprocess.run(["sh", "-c", argv], capture_output=True, timeout=SECONDS, check=False)
    if where == "closed":
        assert (done.returncode, done.stderr) == (0, b"2 ok\n")
    else:
        assert done.returncode == 1
        assert done.stderr == b"orch: the output cannot be written: No space left on device\n"


def test_a_reader_that_leaves_ends_all_hosts_quietly(inventory: Path) -> None:
    word = f"stuck-{nap()}"
    with orch_run(inventory, "all", "--live", "--", f"yes {word}") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert not running("yes", word)


def test_a_pipe_that_others_made_non_blocking_is_written_whole(inventory: Path) -> None:
    reading, writing = os.pipe()
    # The open file is shared: whoever else has it may do this at any time, and Node.js does.
    os.set_blocking(writing, False)
    argv = [ORCH, "run", "-i", str(inventory), "here", "--", "seq 300000"]
    with subprocess.Popen(argv, stdout=writing) as process, os.fdopen(reading, "rb") as pipe:
        os.close(writing)
        assert len(pipe.read().splitlines()) == 300_000
    assert process.returncode == 0
