"""Connections are verified, and what stands in their way is said plainly."""

from __future__ import annotations

import asyncio
import re
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orch.errors import AuthError, CommandError, ConnectError
from orch.remote.link import succeeded
from orch.remote.pool import Pool
from tests.ssh.conftest import Sshd, attempt, free_port, make_host

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


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


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e bad\r"


async def test_a_host_s_own_words_do_not_steer_the_terminal() -> None:
    """A disconnect as RFC 4253, 11.1 has it, in a packet that is not encrypted yet."""
    reason = HOSTILE.encode()
    payload = b"\x01" + struct.pack(">II", 2, len(reason)) + reason + struct.pack(">I", 0)
    padding = bytes(16 - (5 + len(payload)) % 8)
    packet = struct.pack(">IB", 1 + len(payload) + len(padding), len(padding)) + payload + padding

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-rude\r\n" + packet)
        await reader.read()

    async with listener(rude) as port:
        with pytest.raises(ConnectError, match=r"bad") as caught:
            await attempt(make_host(address="127.0.0.1", port=port), timeout=5)
    said = str(caught.value)
    assert "owned" in said
    assert said.isprintable()


async def test_a_command_s_complaint_does_not_steer_the_terminal(sshd: Sshd) -> None:
    words = "".join(f"\\{byte:03o}" for byte in HOSTILE.encode())
    async with Pool(connect_timeout=5) as pool:
        result = await pool.link(sshd.host()).run_script(f"printf '{words}' >&2; exit 1", timeout=5)
        with pytest.raises(CommandError, match="owned") as caught:
            succeeded("w1", "it", result)
    assert str(caught.value).replace("\n", "").isprintable()


async def test_a_missing_network_namespace_is_named() -> None:
    with pytest.raises(ConnectError, match=r"there is no network namespace no-such-netns; is the lab up\?"):
        await attempt(make_host(address="127.0.0.1", netns="no-such-netns"))
