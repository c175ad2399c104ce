"""Streams whose output is not wanted yet, does not come, or comes late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from orch.errors import CommandError
from orch.remote.link import Link
from orch.remote.pool import Pool
from tests.ssh.conftest import Heard, Sshd, make_host, nap, running


@pytest.fixture(params=["ssh", "local"])
async def link(sshd: Sshd, request: pytest.FixtureRequest) -> AsyncIterator[Link]:
    host = sshd.host() if request.param == "ssh" else make_host(address="w1", connection="local")
    async with Pool(connect_timeout=5) as pool:
        yield pool.link(host)


class Full(Heard):
    """A sink that has room for no more until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.room = asyncio.get_running_loop().create_future()

    def __call__(self, data: bytes, stderr: bool) -> asyncio.Future[None] | None:  # type: ignore[override]
        super().__call__(data, stderr)
        return None if self.room.done() else self.room


@pytest.mark.parametrize("mib", [1, 5])
async def test_what_is_not_wanted_yet_waits_on_the_host_and_comes_whole(link: Link, mib: int) -> None:
    full = Full()
    script = f"echo begun; echo aside >&2; head -c {mib << 20} /dev/zero; echo end"
    task = asyncio.create_task(link.stream(script, full, timeout=30))
    await full.something.wait()
    heard = len(full.out)
    # Longer than output that is missing at a command's end is waited for; all else goes on meanwhile.
    await asyncio.sleep(1.2)
    assert (await link.run_script("echo fine", timeout=5)).text == "fine\n"
    assert len(full.out) <= heard + (64 << 10)
    assert not task.done()
    full.room.set_result(None)
    assert await task == 0
    assert bytes(full.out) == b"begun\n" + bytes(mib << 20) + b"end\n"
    assert bytes(full.err) == b"aside\n"


async def test_a_sink_that_fails_while_it_is_waited_for_ends_the_command(link: Link) -> None:
    full = Full()
    task = asyncio.create_task(link.stream("yes 4327", full, timeout=30))
    await full.something.wait()
    full.room.set_exception(BrokenPipeError("enough"))
    with pytest.raises(BrokenPipeError, match="enough"):
        await task
    assert not running("yes", "4327")


async def test_a_command_can_be_ended_while_nobody_wants_its_output(link: Link) -> None:
    full = Full()
    with pytest.raises(CommandError, match=r"^w1: was ended after 0\.5 s$"):
        await link.stream("yes 4328", full, timeout=0.5)
    assert not running("yes", "4328")
    full.room.set_result(None)


async def test_a_command_that_says_nothing_for_long_is_ended_there(link: Link) -> None:
    seconds = nap()
    with pytest.raises(CommandError, match=r"^w1: was ended after it had printed nothing for 0\.5 s$"):
        await link.stream(f"echo begun; sleep {seconds}", Heard(), timeout=20, silence=0.5)
    assert not running("sleep", seconds)


async def test_a_command_that_goes_on_printing_may_take_its_time(link: Link) -> None:
    script = "for i in 1 2 3 4 5 6; do sleep 0.2; echo $i >&2; done"
    heard = Heard()
    assert await link.stream(script, heard, timeout=20, silence=0.8) == 0
    assert bytes(heard.err) == b"1\n2\n3\n4\n5\n6\n"


async def test_a_command_whose_output_is_not_wanted_is_not_silent(link: Link) -> None:
    full = Full()
    task = asyncio.create_task(link.stream("head -c 9000000 /dev/zero", full, timeout=20, silence=0.3))
    await full.something.wait()
    done, _ = await asyncio.wait({task}, timeout=0.8)
    assert not done
    full.room.set_result(None)
    assert await task == 0
    assert len(full.out) == 9_000_000


async def test_output_that_is_late_is_waited_for_as_long_as_it_comes(link: Link) -> None:
    heard = Heard()
    script = "(for i in 1 2; do sleep 0.7; echo $i; done) & echo 0; exit 3"
    assert await link.stream(script, heard, timeout=20) == 3
    assert bytes(heard.out) == b"0\n1\n2\n"
