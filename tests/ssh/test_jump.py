"""Through jump hosts: verified, shared, and blamed when they are at fault."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from orch.errors import AuthError, ConnectError, HostKeyError
from orch.inventory.hosts import Host
from orch.remote.pool import Pool
from tests.ssh.conftest import Sshd, attempt, free_port, serving


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, sshd: Sshd) -> Iterator[Sshd]:
    """Another server that takes the same key."""
    with serving(tmp_path_factory.mktemp("bastion")) as server:
        (server.folder / "authorized_keys").write_text((sshd.folder / "client_key.pub").read_text())
        yield server


def behind(bastion: Sshd, target: Sshd, tmp_path: Path, *, jump: str = "", **login: object) -> Host:
    known = tmp_path / "known_hosts"
    known.write_text((bastion.folder / "known_hosts").read_text() + (target.folder / "known_hosts").read_text())
    return target.host(proxy_jump=jump or f"127.0.0.1:{bastion.port}", known_hosts=str(known), **login)


def connections(server: Sshd) -> int:
    return (server.folder / "log").read_text().count("Accepted publickey")


async def test_many_hosts_share_one_connection_to_their_jump_host(bastion: Sshd, sshd: Sshd, tmp_path: Path) -> None:
    before = connections(bastion)
    host = behind(bastion, sshd, tmp_path)
    async with Pool(connect_timeout=5) as pool:
        hosts = [msgspec.structs.replace(host, name=f"w{n}") for n in range(6)]
        found = await asyncio.gather(*(pool.link(h).run_script("echo in", timeout=5) for h in hosts))
    assert [result.text for result in found] == ["in\n"] * 6
    assert connections(bastion) == before + 1


async def test_jump_hosts_in_a_row(bastion: Sshd, sshd: Sshd, tmp_path: Path) -> None:
    jump = f"root@127.0.0.1:{bastion.port},ssh://root@127.0.0.1:{sshd.port}"
    assert await attempt(behind(bastion, sshd, tmp_path, jump=jump)) == "in\n"


async def test_ssh_s_configuration_names_jump_hosts_too(bastion: Sshd, sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host gate\n  HostName 127.0.0.1\n  Port {bastion.port}\nHost 127.0.0.1\n  ProxyJump gate\n")
    before = connections(bastion)
    host = behind(bastion, sshd, tmp_path, jump="gate", ssh_config=str(config))
    # The address of the jump host matches too, and must not lead to a circle.
    config.write_text(config.read_text().replace("Host 127.0.0.1", f"Match originalhost {host.login.address} host *"))
    assert await attempt(host) == "in\n"
    assert connections(bastion) == before + 1


async def test_a_circle_of_jump_hosts_is_said_to_be_one(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(ConnectError, match=r"^w1: more than 8 jump hosts; does one lead back to itself\?"):
        await attempt(sshd.host(address="a", ssh_config=str(config)))


async def test_an_unreadable_jump_host_is_quoted(sshd: Sshd) -> None:
    with pytest.raises(ConnectError, match=r"expected a jump host like user@bastion:22, not 'a b' \(inventory.yml:7\)"):
        await attempt(sshd.host(proxy_jump="a b"))


async def test_a_jump_host_that_is_down_is_blamed_once_and_at_once_for_all_behind_it(sshd: Sshd) -> None:
    port = free_port()
    host = sshd.host(proxy_jump=f"127.0.0.1:{port}")
    began = time.monotonic()
    async with Pool(connect_timeout=5) as pool:
        hosts = [msgspec.structs.replace(host, name=f"w{n}", place=f"inventory.yml:{n}") for n in range(20)]
        found = await asyncio.gather(
            *(pool.link(h).run_script("true", timeout=5) for h in hosts), return_exceptions=True
        )
    said = f"its jump host cannot be used: 127.0.0.1:{port} refuses connections; is sshd running there, on that port?"
    assert [str(error) for error in found] == [f"w{n}: {said} (inventory.yml:{n})" for n in range(20)]
    assert all(isinstance(error, ConnectError) for error in found)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("jumps", ["nobody@{bastion}", "nobody@{bastion},{bastion}", "silent"])
async def test_each_host_s_error_names_its_own_place_and_none_else(
    bastion: Sshd, sshd: Sshd, tmp_path: Path, jumps: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        jump = jumps.replace("silent", f"127.0.0.1:{silent.getsockname()[1]}")
        host = behind(bastion, sshd, tmp_path, jump=jump.replace("{bastion}", f"127.0.0.1:{bastion.port}"))
        async with Pool(connect_timeout=1) as pool:
            hosts = [msgspec.structs.replace(host, name=f"w{n}", place=f"inventory.yml:{n}") for n in range(4)]
            found = await asyncio.gather(
                *(pool.link(h).run_script("true", timeout=5) for h in hosts), return_exceptions=True
            )
    for n, error in enumerate(found):
        assert re.findall(r"inventory\.yml:\d+|w\d", str(error)) == [f"w{n}", f"inventory.yml:{n}"]


async def test_a_host_behind_the_jump_host_that_refuses_is_named(bastion: Sshd, sshd: Sshd, tmp_path: Path) -> None:
    host = behind(bastion, sshd, tmp_path, port=free_port())
    with pytest.raises(ConnectError, match=rf"^w1: the jump host 127\.0\.0\.1:{bastion.port} cannot reach 127"):
        await attempt(host)


async def test_a_jump_host_is_verified_like_any_other(bastion: Sshd, sshd: Sshd) -> None:
    host = sshd.host(proxy_jump=f"127.0.0.1:{bastion.port}")  # Only the target's key is known.
    with pytest.raises(HostKeyError, match=rf"jump host cannot be used: the host key of 127\.0\.0\.1:{bastion.port}"):
        await attempt(host)


async def test_a_jump_host_that_refuses_the_user_is_named(bastion: Sshd, sshd: Sshd, tmp_path: Path) -> None:
    host = behind(bastion, sshd, tmp_path, jump=f"nobody@127.0.0.1:{bastion.port}")
    with pytest.raises(AuthError, match=r"its jump host cannot be used: refused nobody at "):
        await attempt(host)


async def test_a_jump_host_that_was_lost_is_reached_again(bastion: Sshd, sshd: Sshd, tmp_path: Path) -> None:
    before = connections(bastion)
    async with Pool(connect_timeout=5) as pool:
        link = pool.link(behind(bastion, sshd, tmp_path))
        await link.run_script("true", timeout=5)
        serving_us = pids_accepted_by(bastion)[-1]
        os.kill(serving_us, signal.SIGKILL)
        with pytest.raises(ConnectError, match="the connection was lost"):
            await link.run_script("sleep 9", timeout=9)
        assert (await link.run_script("echo back", timeout=5)).text == "back\n"
    assert connections(bastion) == before + 2


def pids_accepted_by(server: Sshd) -> list[int]:
    """The processes that serve connections now, oldest first."""
    found = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=True).stdout
    return sorted(map(int, found.split()))
