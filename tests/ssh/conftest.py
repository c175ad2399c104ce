"""A real sshd on loopback, its keys and accounts its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest

from orch.inventory.hosts import Host
from orch.inventory.login import Login
from orch.model.node import NodeSpec

SSHD = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin") or "sshd"
STARTED_SECONDS = 10.0

CONFIG = """
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
"""


class Sshd(msgspec.Struct, frozen=True):
    """A server that knows one key and lets the user who runs the tests in."""

    folder: Path
    port: int

    def host(self, **login: Any) -> Host:
        """As an inventory would describe it, but for what `login` says otherwise."""
        details: dict[str, Any] = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "key_file": str(self.folder / "client_key"),
            "known_hosts": str(self.folder / "known_hosts"),
        }
        return make_host(**{**details, **login})


def make_host(**login: Any) -> Host:
    filled = Login(**login)
    return Host("w1", filled, NodeSpec("w1", filled.address), "inventory.yml:7")


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host_key", "client_key", "stranger_key"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        (folder / name).touch(mode=0o600)
        key.write_private_key(str(folder / name))
        key.write_public_key(str(folder / f"{name}.pub"))
    (folder / "authorized_keys").write_text((folder / "client_key.pub").read_text())
    (folder / "sshd_config").write_text(CONFIG.format(folder=folder))
    # sshd insists on it, and systemd makes it only when the service starts.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = Sshd(folder, free_port())
    (folder / "known_hosts").write_text(known_line(server.port, folder / "host_key.pub"))
    argv = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config"), "-p", str(server.port)]
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, stderr=log) as process:
        wait_for_port(server.port, process)
        yield server
        process.terminate()


def known_line(port: int, public: Path) -> str:
    return f"[127.0.0.1]:{port} {public.read_text()}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTED_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            assert process.poll() is None, "sshd ended"
            assert time.monotonic() < deadline, "sshd does not listen"
            time.sleep(0.02)
