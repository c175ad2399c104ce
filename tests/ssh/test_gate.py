"""Whichever way leads to a host: it is spoken to at once, and what it says is kept until its turn."""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from orch.errors import ConnectError
from orch.inventory.hosts import Host
from orch.remote.dial import HANDSHAKES
from orch.remote.pool import Pool
from tests.ssh.conftest import Sshd, attempt, make_host, nap, serving
from tests.ssh.test_jump import pids_accepted_by
from tests.ssh.ways import BANNER, Crowd, Relay, host_behind

WAYS = ("socket", "jump", "command")
MANY_STARTS = "MaxStartups 300"


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, sshd: Sshd) -> Iterator[Sshd]:
    """A server of its own, whose processes are ours alone."""
    with serving(tmp_path_factory.mktemp("bastion"), MANY_STARTS) as server:
        yield server


@asynccontextmanager
async def listening(server: Crowd | Relay) -> AsyncIterator[int]:
    """Its port, on all addresses."""
    listener = await asyncio.start_server(server.serve, "0.0.0.0", 0, backlog=1000)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


def speaking(host: Host, pool: Pool) -> asyncio.Task[str]:
    async def speak() -> str:
        return (await pool.link(host).run_script("echo in", timeout=9)).text

    return asyncio.create_task(speak())


async def ended(*tasks: asyncio.Task[str]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("way", WAYS)
async def test_silent_hosts_hold_up_nobody(bastion: Sshd, tmp_path: Path, way: str) -> None:
    async with listening(Crowd()) as port, Pool(connect_timeout=60) as pool, asyncio.timeout(30):
        host = host_behind("jump" if way == "jump" else "socket", bastion, port, tmp_path)
        if way == "command":
            (tmp_path / "silent").write_text(f"ProxyCommand exec sleep {nap()}\n")
            host = bastion.host(ssh_config=str(tmp_path / "silent"))
        silent = [speaking(msgspec.structs.replace(host, name=f"s{n}"), pool) for n in range(3 * HANDSHAKES)]
        await asyncio.sleep(0)  # They are all at it before the one that lives.
        live = host_behind("jump" if way == "jump" else "socket", bastion, bastion.port, tmp_path)
        assert await speaking(live, pool) == "in\n"
        assert not any(task.done() for task in silent)
        await ended(*silent)


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_waits_for_the_client_to_speak_is_reached(bastion: Sshd, tmp_path: Path, way: str) -> None:
    """So do those that share one port among several protocols."""

    async def ready(reader: asyncio.StreamReader) -> bytes:
        return await reader.readexactly(4)

    async with listening(Relay(bastion.port, ready)) as port:
        assert await attempt(host_behind(way, bastion, port, tmp_path)) == "in\n"


class Late(msgspec.Struct):
    """A host whose place went to another before it said anything, and who has spoken since. `holder` has the place."""

    pool: Pool
    relay: Relay
    late: asyncio.Task[str]
    holder: asyncio.Task[str]


class Closes(Relay):
    """Says who it is, and leaves."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.arrived.set()
        await self.ready(reader)
        writer.write(BANNER)
        writer.close()


@asynccontextmanager
async def late_host(bastion: Sshd, way: str, folder: Path, kind: type[Relay] = Relay) -> AsyncIterator[Late]:
    speak, crowd = asyncio.Event(), Crowd(BANNER)

    async def ready(reader: asyncio.StreamReader) -> bytes:
        await speak.wait()
        return b""

    relay = kind(bastion.port, ready)
    async with Pool(connect_timeout=9) as pool, listening(crowd) as silent, listening(relay) as port:
        late = speaking(host_behind(way, bastion, port, folder), pool)
        await relay.arrived.wait()
        other = make_host(address="127.0.0.1", port=silent, ssh_config="/dev/null")
        holder = speaking(msgspec.structs.replace(other, name="holder"), pool)
        await crowd.until(lambda: crowd.answered == 1)
        speak.set()
        await asyncio.sleep(0.3)  # Time in which the late one could go on, and must not.
        assert relay.passed <= 100  # Our version line.
        assert not late.done()
        yield Late(pool, relay, late, holder)
        await ended(late, holder)


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orch.remote.dial.HANDSHAKES", 1)


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("way", WAYS)
async def test_what_a_late_host_says_is_kept_until_its_turn(bastion: Sshd, tmp_path: Path, way: str) -> None:
    async with late_host(bastion, way, tmp_path) as scene:
        await ended(scene.holder)
        assert await scene.late == "in\n"


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("way", WAYS)
async def test_a_late_host_that_is_not_wanted_any_more_is_left(bastion: Sshd, tmp_path: Path, way: str) -> None:
    async with late_host(bastion, way, tmp_path) as scene:
        await ended(scene.late)
        async with asyncio.timeout(5):
            await scene.relay.left.wait()
        await ended(scene.holder)
        # The place is free again.
        assert await speaking(msgspec.structs.replace(bastion.host(), name="next"), scene.pool) == "in\n"


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("way", WAYS)
async def test_a_late_host_that_closes_is_said_to_have(bastion: Sshd, tmp_path: Path, way: str) -> None:
    async with late_host(bastion, way, tmp_path, Closes) as scene:
        await ended(scene.holder)
        said = "the ProxyCommand for .* ended" if way == "command" else "closed the connection"
        with pytest.raises(ConnectError, match=f"{said} before anyone was let in"):
            await scene.late


async def test_a_channel_that_the_jump_host_opens_too_late_is_closed(bastion: Sshd, tmp_path: Path) -> None:
    crowd = Crowd()
    async with listening(crowd) as port, Pool(connect_timeout=1) as pool:
        host = host_behind("jump", bastion, port, tmp_path)
        # The same way, so that the connection to the jump host is there before it freezes.
        near = msgspec.structs.replace(host, name="near", login=msgspec.structs.replace(host.login, port=bastion.port))
        assert await speaking(near, pool) == "in\n"
        serving_us = pids_accepted_by(bastion)[0]
        os.kill(serving_us, signal.SIGSTOP)
        try:
            with pytest.raises(ConnectError, match="no answer from"):
                await speaking(host, pool)
        finally:
            os.kill(serving_us, signal.SIGCONT)
        async with asyncio.timeout(5):
            await crowd.until(lambda: crowd.all == 1 and crowd.now == 0)


async def test_a_proxy_command_ends_with_its_connection_and_all_that_it_started(sshd: Sshd, tmp_path: Path) -> None:
    host, held = host_behind("command", sshd, sshd.port, tmp_path), tmp_path / "held"
    config = Path(host.login.ssh_config)
    config.write_text(config.read_text().replace("exec ", f"sleep {nap()} >{held} & "))
    os.mkfifo(held)
    ours = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    assert await attempt(host) == "in\n"
    assert select.select([ours], [], [], 5)[0]  # Nobody has it open any more.
    os.close(ours)


async def test_what_a_proxy_command_complains_of_is_no_part_of_the_connection_nor_printed(
    sshd: Sshd, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host = host_behind("command", sshd, sshd.port, tmp_path)
    config = Path(host.login.ssh_config)
    config.write_text(config.read_text().replace("exec ", "echo SSH-2.0-wrong >&2; "))
    assert await attempt(host) == "in\n"
    assert capfd.readouterr() == ("", "")


async def test_a_proxy_command_that_fails_is_named(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("ProxyCommand exit 3\n")
    where = re.escape(f"127.0.0.1:{sshd.port}")
    with pytest.raises(ConnectError, match=f"^w1: the ProxyCommand for {where} ended before anyone was let in; run it"):
        await attempt(sshd.host(ssh_config=str(tmp_path / "config")))
