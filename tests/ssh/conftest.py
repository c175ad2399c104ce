"""A real sshd on loopback, its keys and accounts its own."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest

from orch.inventory.hosts import Host
from orch.inventory.login import Login
from orch.model.node import NodeSpec
from orch.model.secret import Secret
from orch.remote.pool import Pool

SSHD = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin") or "sshd"
STARTED_SECONDS = 10.0

CONFIG = """
ListenAddress 127.0.0.1
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
    pid: int = 0

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
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@contextmanager
def serving(folder: Path, *config: str, host_keys: Sequence[str] = ("ssh-ed25519",)) -> Iterator[Sshd]:
    """A server with keys of these types, and these lines of configuration before the common ones: the first counts."""
    for name in ("client_key", "stranger_key"):
        write_key(folder / name, "ssh-ed25519")
    lines = [*config]
    for number, kind in enumerate(host_keys):
        write_key(folder / f"host_key{number}", kind)
        lines.append(f"HostKey {folder}/host_key{number}")
    (folder / "authorized_keys").write_text((folder / "client_key.pub").read_text())
    (folder / "sshd_config").write_text("\n".join(lines) + CONFIG.format(folder=folder))
    # sshd insists on it, and systemd makes it only when the service starts.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = Sshd(folder, free_port())
    (folder / "known_hosts").write_text(known_line(server.port, folder / "host_key0.pub"))
    argv = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config"), "-p", str(server.port)]
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, stderr=log) as process:
        try:
            wait_for_port(server.port, process)
            yield msgspec.structs.replace(server, pid=process.pid)
        finally:
            process.terminate()


def write_key(file: Path, kind: str, passphrase: str | None = None) -> asyncssh.SSHKey:
    """A new key in `file` and `file`.pub, as ssh-keygen leaves them."""
    key = asyncssh.generate_private_key(kind)
    file.touch(mode=0o600)
    key.write_private_key(str(file), passphrase=passphrase)
    key.write_public_key(f"{file}.pub")
    return key


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


async def attempt(host: Host, timeout: float = 5.0, **pool: Any) -> str:
    """What a command prints over a new connection; `pool`: how connections are made."""
    async with Pool(connect_timeout=timeout, **pool) as connections:
        return (await connections.link(host).run_script("echo in", timeout=timeout)).text


class Heard:
    """A sink that keeps all, and tells when something is there."""

    def __init__(self) -> None:
        self.out, self.err = bytearray(), bytearray()
        self.something = asyncio.Event()

    def __call__(self, data: bytes, stderr: bool) -> None:
        (self.err if stderr else self.out).extend(data)
        self.something.set()

    def line(self, data: bytes, stderr: bool) -> bool:
        """For a wire: a line is whole."""
        self(data, stderr)
        return self.out.endswith(b"\n")


class Told:
    """Answers questions as a person would, and remembers them."""

    def __init__(self, *answers: str) -> None:
        self.questions: list[str] = []
        self._answers = list(answers)

    async def ask(self, question: str) -> Secret | None:
        self.questions.append(question)
        return Secret(self._answers.pop(0)) if self._answers else None


class Thinking(Told):
    """Answers when `answer` is set."""

    def __init__(self, *answers: str) -> None:
        super().__init__(*answers)
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def ask(self, question: str) -> Secret | None:
        self.asked.set()
        await self.answer.wait()
        return await super().ask(question)


def nap() -> str:
    """An hour or so, in seconds that no other test sleeps: what is left of an earlier run is not taken for ours."""
    return f"36{secrets.randbelow(100):02}.{secrets.randbelow(10**6):06}"


def running(*argv: str) -> bool:
    """Whether a process of this machine was started with exactly these words; one that is dead already has none."""
    wanted = b"".join(word.encode() + b"\0" for word in argv)
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if process.read_bytes() == wanted:
                return True
    return False


def fingerprint(public: Path) -> str:
    return asyncssh.read_public_key(str(public)).get_fingerprint()


def keygen(*words: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)
