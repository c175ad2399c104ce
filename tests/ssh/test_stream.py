"""Commands on channels of their own: output as it comes, input streamed, ended when nobody wants them any more."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orch.errors import CommandError, ConnectError, UsageError
from orch.remote.aside import Aside
from orch.remote.ask import Answers, Nobody
from orch.remote.connect import Access, connect
from orch.remote.dial import Dialer
from orch.remote.files import running_file, write_temporary
from orch.remote.keys import KeyRing
from orch.remote.known import KnownHosts
from orch.remote.link import Link
from orch.remote.pipe import open_channel
from orch.remote.pool import Pool
from orch.remote.target import target_of
from tests.ssh.conftest import Heard, Sshd, make_host, nap, running, serving
from tests.ssh.test_jump import pids_accepted_by


@pytest.fixture(params=["ssh", "local"])
async def link(sshd: Sshd, request: pytest.FixtureRequest) -> AsyncIterator[Link]:
    host = sshd.host() if request.param == "ssh" else make_host(address="w1", connection="local")
    async with Pool(connect_timeout=5) as pool:
        yield pool.link(host)


async def input_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize(
    ("script", "status", "out", "err"),
    [
        ("echo out; echo err >&2; exit 3", 3, b"out\n", b"err\n"),
        ("printf 'no newline'", 0, b"no newline", b""),
        ("true", 0, b"", b""),
        ("cat", 0, b"", b""),
        (r"printf '\036\000\377\036 0\036'", 0, b"\x1e\x00\xff\x1e 0\x1e", b""),
        ("echo \"it's\" 'a\nb' # and no more", 0, b"it's a\nb\n", b""),
        ("kill -9 $$", 137, b"", b""),
    ],
)
async def test_output_and_status_come_back_as_they_were(
    link: Link, script: str, status: int, out: bytes, err: bytes
) -> None:
    heard = Heard()
    assert await link.stream(script, heard, timeout=5) == status
    assert (bytes(heard.out), bytes(heard.err)) == (out, err)


async def test_a_syntax_error_is_a_status_and_a_message(link: Link) -> None:
    heard = Heard()
    assert await link.stream("if then fi", heard, timeout=5) != 0
    assert b"yntax error" in heard.err


async def test_output_is_there_before_the_command_ends(link: Link, tmp_path: Path) -> None:
    heard, go = Heard(), tmp_path / "go"
    script = f"echo first; until [ -e {go} ]; do sleep 0.01; done; echo second"
    task = asyncio.create_task(link.stream(script, heard, timeout=10))
    await heard.something.wait()
    assert bytes(heard.out) == b"first\n"
    assert not task.done()
    go.touch()
    assert await task == 0
    assert bytes(heard.out) == b"first\nsecond\n"


async def test_a_gigabyte_is_passed_on_whole_and_never_held(link: Link) -> None:
    digest, size = hashlib.sha256(), 0

    def sink(data: bytes, stderr: bool) -> None:
        nonlocal size
        size += len(data)
        digest.update(data)

    mib = 1000 if link.host.login.connection == "ssh" else 100
    assert await link.stream(f"head -c {mib << 20} /dev/zero", sink, timeout=60) == 0
    expected = hashlib.sha256()
    for _ in range(mib):
        expected.update(bytes(1 << 20))
    assert (size, digest.hexdigest()) == (mib << 20, expected.hexdigest())


async def test_input_is_streamed_whatever_it_holds(link: Link) -> None:
    chunks = [bytes(range(256)) * 1000, b"\nexit 9\n", b"'\"$(id)\n" * 50_000]
    heard = Heard()
    assert await link.stream("sha256sum; cat", heard, stdin=input_of(*chunks), timeout=20) == 0
    assert heard.out.split()[0].decode() == hashlib.sha256(b"".join(chunks)).hexdigest()


async def test_input_that_the_command_does_not_want_is_no_command(link: Link) -> None:
    heard = Heard()
    assert await link.stream("head -c 3", heard, stdin=input_of(b"abcecho BAD\n", b"echo BAD\n"), timeout=5) == 0
    assert bytes(heard.out) == b"abc"
    assert await link.stream("exit 4", heard, stdin=input_of(b"x" * 10_000_000), timeout=5) == 4


@pytest.mark.parametrize(("script", "out"), [("printf '%s' '\udcff'", b"\xff"), ("printf 'é'", "é".encode())])
async def test_any_bytes_may_stand_in_a_command(link: Link, script: str, out: bytes) -> None:
    heard = Heard()
    assert await link.stream(script, heard, timeout=5) == 0
    assert bytes(heard.out) == out
    assert (await link.run_script(script, timeout=5)).stdout == out


async def test_what_no_shell_can_take_is_the_command_s_error(link: Link) -> None:
    with pytest.raises(CommandError, match="NUL"):
        await link.stream("a\0b", Heard(), timeout=5)
    with pytest.raises(CommandError, match="NUL"):
        await link.run_script("a\0b", timeout=5)


async def test_an_input_that_breaks_off_ends_the_command(link: Link) -> None:
    seconds = nap()

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise UsageError("no more")

    with pytest.raises(UsageError, match="no more"):
        await link.stream(f"cat; sleep {seconds}", Heard(), stdin=broken(), timeout=20)
    assert not running("sleep", seconds)


async def test_a_signal_is_a_status_as_the_shell_has_it(link: Link) -> None:
    assert await link.stream("kill -TERM $$", Heard(), timeout=5) == 143


async def test_a_child_in_the_background_does_not_hold_the_end(link: Link) -> None:
    seconds = nap()
    heard = Heard()
    assert await link.stream(f"sleep {seconds} & echo done", heard, timeout=5) == 0
    assert bytes(heard.out) == b"done\n"
    await link.run_script(f"pkill -f '^sleep {seconds}$'", timeout=5)


async def test_a_command_that_outlasts_its_time_is_ended_there(link: Link) -> None:
    seconds = nap()
    with pytest.raises(CommandError, match=r"^w1: was ended after 0\.5 s$"):
        await link.stream(f"sleep {seconds} | cat; sleep {seconds}", Heard(), timeout=0.5)
    assert not running("sleep", seconds)


async def cancel_begun(link: Link, script: str) -> None:
    """Break a script off as soon as it has printed something."""
    heard = Heard()
    task = asyncio.create_task(link.stream(script, heard, timeout=60))
    await heard.something.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_command_that_is_not_wanted_any_more_is_ended_there(link: Link) -> None:
    seconds = nap()
    await cancel_begun(link, f"echo begun; sleep {seconds}; sleep {seconds}")
    assert not running("sleep", seconds)


@pytest.mark.parametrize("error", [ValueError("enough"), BrokenPipeError("enough")])
async def test_a_sink_that_can_take_no_more_ends_the_command(link: Link, error: Exception) -> None:
    def sink(data: bytes, stderr: bool) -> None:
        raise error

    with pytest.raises((CommandError, BrokenPipeError), match="enough"):
        await link.stream("yes 4326", sink, timeout=5)
    assert not running("yes", "4326")


async def test_a_connection_that_is_lost_is_the_hosts_failure(sshd: Sshd) -> None:
    async with Pool(connect_timeout=5) as pool:
        link = pool.link(sshd.host())
        with pytest.raises(ConnectError, match=r"^w1: the connection was lost"):
            await link.stream("kill -9 $PPID; sleep 9", Heard(), timeout=9)
        assert (await link.run_script("echo back", timeout=5)).text == "back\n"


async def test_a_shell_that_a_frozen_host_opens_too_late_is_closed_and_nobody_gets_it(tmp_path: Path) -> None:
    # One session at a time: what is leaked leaves no room for the next.
    with serving(tmp_path, "MaxSessions 1") as server:
        host, answers = server.host(), Answers(Nobody())
        access = Access(answers, KeyRing(answers), KnownHosts(), accept_new=False)
        async with await connect(host, target_of(host), access, Dialer(Aside()), timeout=5) as connection:
            serving_us = pids_accepted_by(server)[0]
            os.kill(serving_us, signal.SIGSTOP)
            try:
                with pytest.raises(ConnectError, match=r"^w1: gives no shell within 0\.5 s"):
                    await open_channel("w1", connection, f"cat; echo >{tmp_path}/ended; echo late", 0.5)
            finally:
                os.kill(serving_us, signal.SIGCONT)
            async with asyncio.timeout(5):
                while not (tmp_path / "ended").exists():  # noqa: ASYNC110 - another process's doing
                    await asyncio.sleep(0.01)
            pipe, wire = await open_channel("w1", connection, "echo mine", 5)
            heard = Heard()
            await wire.expect(heard.line)
            assert bytes(heard.out) == b"mine\n"
            pipe.abort()


async def test_a_file_is_written_for_its_owner_alone(link: Link) -> None:
    content = bytes(range(256)) * 40
    path = await write_temporary(link, content)
    try:
        assert Path(path).read_bytes() == content
        assert Path(path).stat().st_mode & 0o777 == 0o600
    finally:
        Path(path).unlink()


async def test_a_full_disk_is_said_to_be_and_leaves_nothing(link: Link, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    await link.run_script(f"mount -t tmpfs -o size=64k tmpfs {small}", timeout=5)
    try:
        wrapped = _InFolder(link, str(small))
        with pytest.raises(CommandError, match=r"^w1: the file cannot be written there: .*No space left on device"):
            await write_temporary(wrapped, bytes(1 << 20))  # type: ignore[arg-type]
        assert list(small.iterdir()) == []
    finally:
        await link.run_script(f"umount {small}", timeout=5)


class _InFolder:
    """A link whose temporary files go elsewhere."""

    def __init__(self, link: Link, folder: str) -> None:
        self.host, self._link, self._folder = link.host, link, folder

    async def stream(self, script: str, sink, *, stdin, timeout: float) -> int:  # type: ignore[no-untyped-def]
        return await self._link.stream(f"export TMPDIR={self._folder}; {script}", sink, stdin=stdin, timeout=timeout)


def file_of(script: str) -> Path:
    """Where the program lies that the script of `running_file` runs."""
    return Path(script.splitlines()[0].split()[3].partition("'")[0])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'echo "$1|$2"; exit 5', b"a b|c\n"),
        (b'#!/bin/sh -u\necho "$1|$2"; exit 5', b"a b|c\n"),
        (b'#!/usr/bin/env python3\nimport sys\nprint("|".join(sys.argv[1:3])); sys.exit(5)', b"a b|c\n"),
    ],
)
async def test_a_program_runs_by_its_interpreter_and_is_removed(link: Link, content: bytes, expected: bytes) -> None:
    script = await running_file(link, content, "'a b' c")
    file = file_of(script)
    assert file.exists()
    heard = Heard()
    assert await link.stream(script, heard, timeout=10) == 5
    assert bytes(heard.out) == expected
    assert not file.exists()


@pytest.mark.parametrize("ignores", ["", "trap '' TERM; ", "trap 'sleep 1; exit' TERM; "])
async def test_a_program_that_is_not_wanted_any_more_is_ended_and_removed(link: Link, ignores: str) -> None:
    seconds = nap()
    script = await running_file(link, f"{ignores}echo begun; sleep {seconds}; sleep {seconds}".encode(), "")
    file = file_of(script)
    await cancel_begun(link, script)
    assert not running("sleep", seconds)
    assert not file.exists()


async def test_a_shell_that_ignores_being_asked_to_end_starts_nothing_more(link: Link) -> None:
    seconds = nap()
    await cancel_begun(link, f"trap '' TERM; echo begun; while :; do sleep {seconds}; done")
    assert not running("sleep", seconds)


async def test_a_command_that_ends_before_its_input_does_has_its_status(link: Link) -> None:
    """Whether its end, or that it takes no more, is known first, is chance."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(64 << 10)

    for _ in range(20):
        assert await link.stream("head -c 100000 >/dev/null; exit 3", Heard(), stdin=endless(), timeout=10) == 3


async def test_a_command_that_is_cancelled_at_any_moment_is_ended_there(link: Link) -> None:
    """Also when it has begun and word of that is still on its way."""
    seconds = nap()
    for moment in range(12):
        task = asyncio.create_task(link.stream(f"sleep {seconds}", Heard(), timeout=20))
        await asyncio.sleep(0.003 * moment)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert not running("sleep", seconds)
