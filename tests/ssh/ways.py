"""Servers that no sshd is like, and the ways that lead to them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from orch.inventory.hosts import Host
from tests.ssh.conftest import Sshd, known_line

BANNER = b"SSH-2.0-test\r\n"

_RELAY = """
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536): s.sendall(data)
threading.Thread(target=up, daemon=True).start()
while data := s.recv(65536): os.write(1, data)
"""


class Crowd:
    """A server that says `banner` and then nothing, and counts who is there."""

    def __init__(self, banner: bytes = b"", speak: asyncio.Event | None = None) -> None:
        """`speak`: when the banner goes out; at once without it. `answered`: clients that have sent more than
        the one line that is ours to say at any time."""
        self.now = self.most = self.all = self.answered = 0
        self._banner, self._speak = banner, speak
        self._changed = asyncio.Event()

    async def until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._changed.clear()
            await self._changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.now += 1
        self.all += 1
        self.most = max(self.most, self.now)
        self._changed.set()
        try:
            if self._speak is not None:
                await self._speak.wait()
            writer.write(self._banner)
            await reader.readline()
            said = await reader.read(4096)
            self.answered += bool(said)
            self._changed.set()
            while await reader.read(4096):
                pass
        except (ConnectionError, asyncio.CancelledError):
            pass  # The end of the test.
        finally:
            self.now -= 1
            self._changed.set()
            writer.close()


class Relay:
    """A server in front of an sshd, to which it leads when `ready` is done; what that returns goes there first."""

    def __init__(self, port: int, ready: Callable[[asyncio.StreamReader], Awaitable[bytes]]) -> None:
        self._port, self.ready = port, ready
        self.arrived, self.left = asyncio.Event(), asyncio.Event()
        self.passed = 0
        """Bytes from the client that were passed on."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.arrived.set()
        try:
            first = await self.ready(reader)
            from_there, there = await asyncio.open_connection("127.0.0.1", self._port)
            there.write(first)
            back = asyncio.create_task(_pass(from_there, writer))
            try:
                while data := await reader.read(65536):
                    self.passed += len(data)
                    there.write(data)
            finally:
                there.close()
                await back
        except (ConnectionError, asyncio.CancelledError):
            pass  # The end of the test.
        finally:
            self.left.set()
            writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass


def host_behind(way: str, sshd: Sshd, port: int, folder: Path) -> Host:
    """A host of sshd's key at `port`, to which leads a `socket`, a `jump` through sshd, or a `command`."""
    known, config = folder / f"known{port}", folder / f"config{port}"
    known.write_text((sshd.folder / "known_hosts").read_text() + known_line(port, sshd.folder / "host_key0.pub"))
    relay = folder / "relay.py"
    relay.write_text(_RELAY)
    config.write_text(f"ProxyCommand exec {sys.executable} {relay} %h %p\n" if way == "command" else "")
    jump = f"127.0.0.1:{sshd.port}" if way == "jump" else ""
    return sshd.host(port=port, known_hosts=str(known), ssh_config=str(config), proxy_jump=jump)
