"""Connections are verified, and what stands in their way is said plainly."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orch.errors import AuthError, ConnectError, HostKeyError
from orch.inventory.hosts import Host
from orch.remote.connect import connect
from orch.remote.keys import KeyRing
from tests.ssh.conftest import Sshd, free_port, known_line, make_host

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def attempt(host: Host, timeout: float = 5.0) -> str:
    """What a command prints over a new connection."""
    async with await connect(host, KeyRing(), timeout) as connection:
        printed = (await connection.run("echo in", check=True)).stdout
    return str(printed)


@asynccontextmanager
async def listener(serve: Serve) -> AsyncIterator[int]:
    """A server that is no sshd; its port."""
    serving: list[asyncio.Task[None] | None] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in serving:
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, serving))


async def test_a_known_host_lets_us_in(sshd: Sshd) -> None:
    assert await attempt(sshd.host()) == "in\n"


async def test_a_hashed_known_hosts_file_is_understood(sshd: Sshd, tmp_path: Path) -> None:
    hashed = tmp_path / "known_hosts"
    hashed.write_text((sshd.folder / "known_hosts").read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(hashed)], check=True, capture_output=True)  # noqa: ASYNC221
    assert hashed.read_text().startswith("|1|")
    assert await attempt(sshd.host(known_hosts=str(hashed))) == "in\n"


@pytest.mark.parametrize(
    "known", ["", "[127.0.0.1]:1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP8BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n"]
)
async def test_an_unknown_host_is_refused(sshd: Sshd, tmp_path: Path, known: str) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(known)
    with pytest.raises(HostKeyError, match=re.escape(f"then put it into {file}")):
        await attempt(sshd.host(known_hosts=str(file)))


async def test_without_a_known_hosts_file_nobody_is_known(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(HostKeyError, match=r"^w1: its host key is not the one known"):
        await attempt(sshd.host(known_hosts=str(tmp_path / "absent")))


async def test_a_host_with_another_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    changed = tmp_path / "known_hosts"
    changed.write_text(known_line(sshd.port, sshd.folder / "stranger_key.pub"))
    with pytest.raises(HostKeyError, match=r"^w1: its host key is not the one known"):
        await attempt(sshd.host(known_hosts=str(changed)))


async def test_a_key_that_the_host_does_not_know_is_refused(sshd: Sshd) -> None:
    stranger = str(sshd.folder / "stranger_key")
    with pytest.raises(AuthError, match=re.escape(f"with {stranger}; check ansible_user")):
        await attempt(sshd.host(key_file=stranger))


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read: No such file"), ("no key", "is not a private key")]
)
async def test_a_bad_key_file_is_named(sshd: Sshd, tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(AuthError, match=f"{re.escape(str(file))}.*{said}"):
        await attempt(sshd.host(key_file=str(file)))


async def test_a_key_with_a_passphrase_belongs_into_an_agent(sshd: Sshd, tmp_path: Path) -> None:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "key")]
    subprocess.run(words, check=True, capture_output=True)  # noqa: ASYNC221
    with pytest.raises(AuthError, match=r"has a passphrase; add it to an ssh-agent and leave"):
        await attempt(sshd.host(key_file=str(tmp_path / "key")))


async def test_a_refused_connection_is_told_from_a_silent_one() -> None:
    port = free_port()
    with pytest.raises(ConnectError, match=rf"^w1: 127\.0\.0\.1:{port} refuses connections"):
        await attempt(make_host(address="127.0.0.1", port=port))


async def test_a_name_that_does_not_exist_is_said_to_be_so() -> None:
    with pytest.raises(ConnectError, match=r"^w1: the address 'no-such-host\.invalid' cannot be resolved"):
        await attempt(make_host(address="no-such-host.invalid"))


async def test_a_silent_server_is_given_up_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    began = time.monotonic()
    async with listener(silent) as port:
        with pytest.raises(ConnectError, match=rf"no answer from 127\.0\.0\.1:{port} within 0\.5 s"):
            await attempt(make_host(address="127.0.0.1", port=port), timeout=0.5)
    assert time.monotonic() - began < 3


async def test_a_server_that_babbles_without_end_is_given_up() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"welcome to this server\r\n" * 100)
            await writer.drain()

    async with listener(babble) as port:
        with pytest.raises(ConnectError, match=rf"^w1: .*127\.0\.0\.1:{port}"):
            await attempt(make_host(address="127.0.0.1", port=port), timeout=2)


async def test_a_server_that_is_no_ssh_server_is_said_to_fail() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listener(web) as port:
        with pytest.raises(ConnectError, match=r"^w1: "):
            await attempt(make_host(address="127.0.0.1", port=port), timeout=2)


async def test_a_missing_network_namespace_is_named() -> None:
    with pytest.raises(ConnectError, match=r"there is no network namespace no-such-netns; is the lab up\?"):
        await attempt(make_host(address="127.0.0.1", netns="no-such-netns"))
