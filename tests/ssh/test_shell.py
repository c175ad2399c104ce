"""The persistent shell against a real sshd: any output, any end, and many commands at once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from orch.errors import BecomeError, CommandError, ConnectError
from orch.model.command import Command
from orch.remote.link import SHELLS, Link
from orch.remote.pool import Pool
from tests.ssh.conftest import Sshd, free_port, make_host, nap, running


@pytest.fixture
async def link(sshd: Sshd) -> AsyncIterator[Link]:
    async with Pool(connect_timeout=5) as pool:
        yield pool.link(sshd.host())


@pytest.mark.parametrize(
    ("script", "status", "stdout", "stderr"),
    [
        ("echo out; echo err >&2; exit 3", 3, b"out\n", b"err\n"),
        ("printf 'no newline'", 0, b"no newline", b""),
        ("true", 0, b"", b""),
        ("cd /; exec true", 0, b"", b""),
        ("kill -9 $$; sleep 9", 137, None, None),
        (r"printf '\036\000\377\036 0\036'", 0, b"\x1e\x00\xff\x1e 0\x1e", b""),
        ("echo 'it'\"'\"'s $HOME'", 0, b"it's $HOME\n", b""),
    ],
)
async def test_output_and_status_come_back_as_they_were(
    link: Link, script: str, status: int, stdout: bytes | None, stderr: bytes | None
) -> None:
    if stdout is None:
        # $$ is the shell itself: it dies, is told so, and another takes its place.
        with pytest.raises(CommandError, match="the shell ended"):
            await link.run_script(script, timeout=5)
    else:
        result = await link.run_script(script, timeout=5)
        assert (result.status, result.stdout, result.stderr) == (status, stdout, stderr)
    assert (await link.run_script("echo next", timeout=5)).text == "next\n"


async def test_a_syntax_error_is_the_commands_own(link: Link) -> None:
    result = await link.run_script("if then fi", timeout=5)
    assert result.status != 0
    assert b"yntax error" in result.stderr
    assert (await link.run_script("echo fine", timeout=5)).text == "fine\n"


async def test_words_and_values_are_data(link: Link) -> None:
    nasty = "a b'c\"d$(id)`id`\\\n;&|*?~"
    result = await link.run(Command(("printf", "%s", nasty)), timeout=5)
    assert result.text == nasty
    result = await link.run(Command(("cat",), "x $HOME 'y'\nEOF\n"), timeout=5)
    assert result.text == "x $HOME 'y'\nEOF\n"
    result = await link.run(Command(("sh", "-c", 'printf %s "$V"'), environment={"V": nasty}), timeout=5)
    assert result.text == nasty


async def test_large_output_is_whole(link: Link) -> None:
    result = await link.run_script("head -c 20000000 /dev/zero", timeout=30)
    assert len(result.stdout) == 20_000_000


async def test_output_without_end_is_given_up_and_only_that(link: Link) -> None:
    with pytest.raises(CommandError, match=r"^w1: printed more than 64 MiB$"):
        await link.run_script("yes", timeout=60)
    assert (await link.run_script("echo next", timeout=5)).text == "next\n"


async def test_a_command_that_outlasts_its_time_is_ended_and_the_shell_goes_on(link: Link) -> None:
    seconds = nap()
    shell = (await link.run_script("echo $$", timeout=5)).text
    began = time.monotonic()
    with pytest.raises(CommandError, match=r"^w1: gave no answer within 0\.5 s"):
        await link.run_script(f"(sleep {seconds} | sleep {seconds}); sleep {seconds}", timeout=0.5)
    assert time.monotonic() - began < 4
    assert (await link.run_script("echo $$", timeout=5)).text == shell
    assert not running("sleep", seconds)


async def test_a_command_that_ignores_being_asked_to_end_is_ended_all_the_same(link: Link) -> None:
    seconds = nap()
    shell = (await link.run_script("echo $$", timeout=5)).text
    with pytest.raises(CommandError, match=r"gave no answer"):
        await link.run_script(f"trap '' TERM; sleep {seconds}; sleep {seconds}", timeout=0.5)
    assert (await link.run_script("echo $$", timeout=5)).text == shell
    assert not running("sleep", seconds)


async def test_commands_run_side_by_side_but_no_more_than_the_limit(link: Link) -> None:
    # Each waits until as many as may run at once have begun: fewer at once would never end.
    script = f"d=$(mktemp -d /tmp/orch-side.XXXXXX); echo $d; for i in 1; do :; done; echo {SHELLS}"
    folder = (await link.run_script(script, timeout=5)).text.split()[0]
    meet = f"touch {folder}/$0.$$; until [ $(ls {folder} | wc -l) -ge {SHELLS} ]; do sleep 0.01; done"
    count = f"n=$(ls {folder} | wc -l); rm {folder}/*; echo $n"
    await asyncio.gather(*(link.run(Command(("sh", "-c", meet, str(i))), timeout=10) for i in range(SHELLS)))
    assert (await link.run_script(count, timeout=5)).text == f"{SHELLS}\n"
    running = f"touch {folder}/$0; ls {folder} | wc -l; sleep 0.05; rm {folder}/$0"
    results = await asyncio.gather(*(link.run(Command(("sh", "-c", running, str(i))), timeout=20) for i in range(20)))
    assert max(int(result.text) for result in results) == SHELLS
    await link.run_script(f"rmdir {folder}", timeout=5)


async def test_a_user_whom_sudo_does_not_know_is_named(sshd: Sshd) -> None:
    async with Pool(connect_timeout=5) as pool:
        with pytest.raises(BecomeError, match=r"^w1: sudo: unknown user.*check ansible_become_user"):
            await pool.link(sshd.host(become_user="no-such-user'$(id)")).run_script("true", timeout=5)


async def test_a_host_that_failed_is_not_asked_again_at_once() -> None:
    async with Pool(connect_timeout=5) as pool:
        link = pool.link(make_host(address="127.0.0.1", port=free_port()))
        with pytest.raises(ConnectError) as first:
            await link.run_script("true", timeout=5)
        with pytest.raises(ConnectError) as second:
            await link.run_script("true", timeout=5)
    assert second.value is first.value


async def test_a_lost_connection_is_the_hosts_failure_and_is_made_anew(link: Link) -> None:
    # The parent of the shell is the sshd process that serves this connection alone.
    with pytest.raises(ConnectError, match=r"^w1: the connection was lost"):
        await link.run_script("kill -9 $PPID; sleep 9", timeout=9)
    assert (await link.run_script("echo back", timeout=5)).text == "back\n"


async def test_a_command_that_is_cancelled_is_ended_and_the_shell_goes_on(link: Link) -> None:
    seconds = nap()
    shell = (await link.run_script("echo $$", timeout=5)).text
    task = asyncio.create_task(link.run_script(f"(sleep {seconds} | cat); sleep {seconds}", timeout=60))
    await until(lambda: running("sleep", seconds))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # All places but one are free, and the one comes back with its shell.
    found = set[str]()
    async with asyncio.timeout(20):
        while shell not in found:
            naps = [link.run_script("echo $$; sleep 0.2", timeout=9) for _ in range(SHELLS)]
            found |= {result.text for result in await asyncio.gather(*naps)}
    assert not running("sleep", seconds)


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.006, 0.012, 0.025, 0.05])
@pytest.mark.parametrize("opened", [False, True], ids=["new shells", "old shells"])
async def test_commands_that_are_cancelled_at_any_moment_leave_nothing(sshd: Sshd, opened: bool, delay: float) -> None:
    seconds = nap()
    async with Pool(connect_timeout=5) as pool:
        link = pool.link(sshd.host())
        await link.open()
        if opened:
            await asyncio.gather(*(link.run_script("sleep 0.1", timeout=5) for _ in range(SHELLS)))
        tasks = [asyncio.create_task(link.run_script(f"sleep {seconds}", timeout=60)) for _ in range(SHELLS + 2)]
        await asyncio.wait(tasks, timeout=delay)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (await link.run_script("echo fine", timeout=5)).text == "fine\n"
    assert not running("sleep", seconds)


async def test_a_command_that_is_to_be_done_whole_runs_on(link: Link, tmp_path: Path) -> None:
    begun, done = tmp_path / "begun", tmp_path / "done"
    command = Command(("sh", "-c", f"touch {begun}; sleep 0.5; touch {done}"))
    task = asyncio.create_task(link.run(command, timeout=60, whole=True))
    await until(begun.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(done.exists)


async def test_closing_ends_what_was_cancelled_last(sshd: Sshd) -> None:
    seconds = nap()
    async with Pool(connect_timeout=5) as pool:
        task = asyncio.create_task(pool.link(sshd.host()).run_script(f"sleep {seconds}", timeout=60))
        await until(lambda: running("sleep", seconds))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not running("sleep", seconds)


async def test_a_host_that_does_not_answer_delays_neither_the_cancelling_nor_much_the_closing(
    sshd: Sshd, tmp_path: Path
) -> None:
    file = tmp_path / "server"
    async with Pool(connect_timeout=5) as pool:
        task = asyncio.create_task(pool.link(sshd.host()).run_script(f"echo $PPID >{file}; exec sleep 60", timeout=60))
        await until(lambda: file.exists() and file.read_text().endswith("\n"))
        server = int(file.read_text())
        sleeping = psutil.Process(server).children(recursive=True)
        os.kill(server, signal.SIGSTOP)
        try:
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - began < 0.2
            await pool.link(sshd.host()).close()
            assert time.monotonic() - began < 3
        finally:
            os.kill(server, signal.SIGCONT)
            for process in sleeping:
                with suppress(psutil.NoSuchProcess):
                    process.kill()


async def until(seen: Callable[[], bool]) -> None:
    """Look again and again: what happens on a host tells nobody."""
    async with asyncio.timeout(5):
        while not seen():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
