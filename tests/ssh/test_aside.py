"""What blocks holds up nobody: neither other hosts nor the end of the process."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from orch.errors import ConnectError
from orch.remote.aside import THREADS
from orch.remote.pool import Pool
from tests.ssh.conftest import Sshd, attempt

END_SECONDS = 20


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Path]:
    """A configuration of ssh that runs a command which ends with the test."""
    config, fifo = tmp_path / "config", tmp_path / "fifo"
    os.mkfifo(fifo)
    config.write_text(f'Match exec "cat {fifo}"\n  User nobody\n')
    yield config
    os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))
    fifo.unlink()


async def test_a_command_of_ssh_s_configuration_that_hangs_holds_up_nobody(sshd: Sshd, stuck: Path) -> None:
    async with Pool(connect_timeout=3) as pool:
        hosts = [msgspec.structs.replace(sshd.host(ssh_config=str(stuck)), name=f"s{n}") for n in range(THREADS + 1)]
        waiting = [asyncio.create_task(pool.link(host).open()) for host in hosts]
        await asyncio.sleep(0)  # They are all at it before the one that lives.
        assert (await pool.link(sshd.host()).run_script("echo in", timeout=5)).text == "in\n"
        assert not any(task.done() for task in waiting)
        found = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in found} == {ConnectError}
    assert str(found[0]) == ("s0: ssh's configuration is not read within 3 s; does a command of `Match exec` hang?")


async def test_what_a_command_of_ssh_s_configuration_says_counts(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f'Match exec "false"\n  Port 1\nMatch exec "true"\n  Port {sshd.port}\n')
    assert await attempt(sshd.host(port=None, ssh_config=str(config))) == "in\n"


PROGRAM = """
import asyncio, sys
from msgspec.structs import replace
from orch.remote.pool import Pool
from tests.ssh.conftest import make_host

async def main(port, key, known, config, *names):
    common = dict(port=int(port), key_file=key, known_hosts=known, user="root")
    async with Pool(connect_timeout=60) as pool:
        one = make_host(address="", ssh_config=config, **common)
        hosts = [replace(one, name=name, login=replace(one.login, address=name)) for name in names]
        stuck = [asyncio.create_task(pool.link(host).run_script("true", timeout=5)) for host in hosts]
        await asyncio.sleep(0)
        live = make_host(address="localhost", ssh_config="/dev/null", **common)
        print((await pool.link(live).run_script("echo in", timeout=5)).text, end="")
        print(sum(task.done() for task in stuck), "done")
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)

asyncio.run(main(*sys.argv[1:]))
"""


def run_program(sshd: Sshd, folder: Path, config: Path | str, names: list[str], *before: str) -> str:
    """With hosts of these names, which are stuck, and one that is not; what it prints. It has to end in time."""
    known = folder / "known_localhost"
    known.write_text((sshd.folder / "known_hosts").read_text().replace("127.0.0.1", "localhost"))
    words = [str(sshd.port), str(sshd.folder / "client_key"), str(known), str(config), *names]
    done = subprocess.run(
        [*before, sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=True,
    )
    return done.stdout


def test_a_command_of_ssh_s_configuration_that_hangs_does_not_hold_up_the_end(
    sshd: Sshd, stuck: Path, tmp_path: Path
) -> None:
    assert run_program(sshd, tmp_path, stuck, ["n1", "n2"]) == "in\n0 done\n"


def test_a_name_server_that_is_silent_holds_up_neither_other_hosts_nor_the_end(sshd: Sshd, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.9.9.9", 53))
        resolv = tmp_path / "resolv.conf"
        resolv.write_text(f"nameserver 127.9.9.9\noptions timeout:{2 * END_SECONDS} attempts:1\n")
        names = [f"n{n}.example.com" for n in range(3 * THREADS)]
        private = ("unshare", "--mount", "sh", "-c", f'mount --bind {resolv} /etc/resolv.conf; exec "$@"', "sh")
        assert run_program(sshd, tmp_path, "/dev/null", names, *private) == "in\n0 done\n"
        assert silent.recv(9999)  # It was asked.
