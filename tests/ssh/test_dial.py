"""Many hosts at once: dead ones hold up nobody, live ones are not stormed, lost ones are tried again with patience."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from orch.errors import ConnectError
from orch.inventory.hosts import Host
from orch.remote.backoff import FIRST_SECONDS, MOST_SECONDS, retry_delay
from orch.remote.dial import HANDSHAKES
from orch.remote.pool import Pool
from tests.ssh.conftest import Sshd, make_host
from tests.ssh.ways import BANNER, Crowd


def hosts_at(port: int, count: int) -> list[Host]:
    """All of 127.0.0.0/8 is this machine."""
    return [
        msgspec.structs.replace(make_host(address=f"127.2.{n // 200}.{n % 200 + 1}", port=port), name=f"h{n}")
        for n in range(count)
    ]


async def test_silent_hosts_do_not_hold_up_the_others(sshd: Sshd) -> None:
    crowd = Crowd()
    server = await asyncio.start_server(crowd.serve, "0.0.0.0", 0)
    async with server, Pool(connect_timeout=6) as pool:
        silent = [
            asyncio.create_task(pool.link(host).run_script("true", timeout=5))
            for host in hosts_at(server.sockets[0].getsockname()[1], 4 * HANDSHAKES)
        ]
        await asyncio.sleep(0)  # They are all at it before the one that lives.
        began = time.monotonic()
        assert (await pool.link(sshd.host()).run_script("echo in", timeout=5)).text == "in\n"
        assert time.monotonic() - began < 5
        found = await asyncio.gather(*silent, return_exceptions=True)
    assert {type(error) for error in found} == {ConnectError}
    assert all("no answer from" in str(error) for error in found)


async def test_no_more_than_the_limit_are_being_let_in_at_once() -> None:
    crowd = Crowd(BANNER)
    server = await asyncio.start_server(crowd.serve, "0.0.0.0", 0, backlog=1000)
    async with server, Pool(connect_timeout=1) as pool:
        tasks = [
            asyncio.create_task(pool.link(host).run_script("true", timeout=5))
            for host in hosts_at(server.sockets[0].getsockname()[1], 3 * HANDSHAKES)
        ]
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in found} == {ConnectError}
    assert crowd.all == 3 * HANDSHAKES
    assert crowd.most == HANDSHAKES


async def test_hosts_that_wake_up_together_wait_their_turn_again() -> None:
    speak = asyncio.Event()
    crowd = Crowd(BANNER, speak)
    server = await asyncio.start_server(crowd.serve, "0.0.0.0", 0, backlog=1000)
    async with server, Pool(connect_timeout=3) as pool:
        tasks = [
            asyncio.create_task(pool.link(host).run_script("true", timeout=5))
            for host in hosts_at(server.sockets[0].getsockname()[1], 3 * HANDSHAKES)
        ]
        # Silent ones give up their turn, so that all get this far.
        await crowd.until(lambda: crowd.now == 3 * HANDSHAKES)
        speak.set()
        await crowd.until(lambda: crowd.answered >= HANDSHAKES)
        await asyncio.sleep(0.3)  # Time in which more could come, and must not.
        assert crowd.answered == HANDSHAKES
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_name_with_several_addresses_is_tried_at_all_of_them(sshd: Sshd) -> None:
    # `localhost` is ::1 too, where nothing listens; the one that answers counts.
    known = sshd.folder / "known_localhost"
    known.write_text((sshd.folder / "known_hosts").read_text().replace("127.0.0.1", "localhost"))
    host = sshd.host(address="localhost", known_hosts=str(known))
    async with Pool(connect_timeout=5) as pool:
        assert (await pool.link(host).run_script("echo in", timeout=5)).text == "in\n"


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_patience_grows_and_has_an_end(chance: float) -> None:
    delays = [retry_delay(failures, chance) for failures in range(1, 40)]
    assert delays == sorted(delays)
    assert delays[0] == FIRST_SECONDS * (0.5 + chance / 2)
    assert delays[-1] == MOST_SECONDS * (0.5 + chance / 2)


def test_hosts_that_were_lost_together_do_not_come_back_together() -> None:
    assert retry_delay(3, 0.0) < retry_delay(3, 0.5) < retry_delay(3, 1.0)


async def test_a_failure_is_forgotten_after_its_time(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orch.remote.backoff.FIRST_SECONDS", 0.2)
    crowd = Crowd()
    server = await asyncio.start_server(crowd.serve, "127.0.0.1", 0)
    async with server, Pool(connect_timeout=0.3) as pool:
        link = pool.link(make_host(address="127.0.0.1", port=server.sockets[0].getsockname()[1]))
        for _ in range(3):
            with pytest.raises(ConnectError):
                await link.run_script("true", timeout=1)
        assert crowd.all == 1
        await asyncio.sleep(0.25)  # The time itself is what is tested.
        with pytest.raises(ConnectError):
            await link.run_script("true", timeout=1)
        assert crowd.all == 2
