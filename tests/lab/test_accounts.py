"""Accounts as they come: login shells of all kinds, sudo with and without a password, passwords instead of keys."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orch.errors import AuthError, BecomeError, CommandError, ConnectError, HostError
from orch.inventory.fleet import read_fleet
from orch.inventory.hosts import Host
from orch.model.secret import Secret
from orch.remote.pool import Pool
from tests.lab.hosts import ORCH, Operator, TestLab
from tests.ssh.conftest import Told, nap, running

PASSWORD = "pa ss'w\"ord$(id)"
NOISE = '#!/bin/sh\necho welcome; echo careful >&2; exec /bin/sh "$@"\n'
ENDLESS = "#!/bin/sh\nyes 'no end of it'\n"
PASSWORD_PORT = 2223

SETUP = f"""
set -e
printf '%s' "$NOISE" >/usr/local/bin/noisy; printf '%s' "$ENDLESS" >/usr/local/bin/endless
chmod 755 /usr/local/bin/noisy /usr/local/bin/endless
add() {{
    useradd --create-home --shell "$2" "$1"
    mkdir "/home/$1/.ssh" && cp /home/orch/.ssh/authorized_keys "/home/$1/.ssh/" && chown -R "$1" "/home/$1/.ssh"
    printf '%s:%s\\n' "$1" "$PASSWORD" | chpasswd
}}
add fishy /usr/bin/fish
add cshy /usr/bin/tcsh
add noisy /usr/local/bin/noisy
add endless /usr/local/bin/endless
add leaver /usr/sbin/nologin
add gone /bin/false
add plain /bin/sh
add asks /bin/sh
add echoes /bin/bash
echo 'set -x' >/home/echoes/.bashrc
for user in fishy cshy noisy; do echo "$user ALL=(ALL) NOPASSWD: ALL"; done >>/etc/sudoers
echo 'asks ALL=(ALL) ALL' >>/etc/sudoers
echo 'echoes ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers
printf '%s\\n' 'Port {PASSWORD_PORT}' 'PidFile none' 'UsePAM no' 'PubkeyAuthentication no' \\
    'PasswordAuthentication yes' >/etc/ssh/pw
/usr/sbin/sshd -f /etc/ssh/pw
"""


@pytest.fixture(scope="module")
def accounts(shared_lab: TestLab) -> Iterator[TestLab]:
    """Users of w1 who stay until the lab goes; nobody else looks at them."""
    words = ("env", f"NOISE={NOISE}", f"ENDLESS={ENDLESS}", f"PASSWORD={PASSWORD}", "sh", "-c", SETUP)
    shared_lab.inside("w1", *words)
    yield shared_lab
    shared_lab.inside("w1", "pkill", "-f", "sshd -f /etc/ssh/pw", status=None)


def host_of(lab: TestLab, name: str = "w1", **login: Any) -> Host:
    host = next(h for h in read_fleet([Path(lab.env["ORCH_INVENTORY"])]).hosts if h.name == name)
    return msgspec.structs.replace(host, login=msgspec.structs.replace(host.login, **login))


async def told_by(host: Host, script: str = "id -un", **pool: Any) -> str:
    async with Pool(connect_timeout=8, **pool) as connections:
        return (await connections.link(host).run_script(script, timeout=8)).text


@pytest.mark.parametrize("user", ["fishy", "cshy", "noisy"])
@pytest.mark.parametrize("become", ["", "root", "plain"])
async def test_a_login_shell_that_is_not_sh_does_not_matter(accounts: TestLab, user: str, become: str) -> None:
    script = 'set -- "it\'s" \'a b\'; echo "$(id -un) $# $2"'
    host = host_of(accounts, user=user, become_user=become)
    assert await told_by(host, script) == f"{become or user} 2 a b\n"
    heard = bytearray()
    async with Pool(connect_timeout=8) as pool:
        assert await pool.link(host).stream(script, lambda data, err: heard.extend(data), timeout=8) == 0
    assert heard.decode() == f"{become or user} 2 a b\n"


@pytest.mark.parametrize(
    ("user", "said"), [("leaver", "This account is currently not available"), ("gone", "it ended with status 1")]
)
async def test_a_login_shell_that_ends_at_once_is_named(accounts: TestLab, user: str, said: str) -> None:
    with pytest.raises(CommandError, match=rf"^w1: the login shell does not run commands: {said}.*such as /bin/sh$"):
        await told_by(host_of(accounts, user=user, become_user=""))
    with pytest.raises(HostError, match=r"^w1: sudo gives no shell|^w1: the login shell"):
        await told_by(host_of(accounts, user=user))


async def test_a_login_shell_that_never_stops_printing_costs_its_own_host_alone(accounts: TestLab) -> None:
    began = time.monotonic()
    async with Pool(connect_timeout=4) as pool:
        noisy = pool.link(host_of(accounts, user="endless", become_user=""))
        fine = pool.link(msgspec.structs.replace(host_of(accounts, "w2"), name="w2"))
        endless = asyncio.create_task(noisy.run_script("true", timeout=3))
        for _ in range(10):
            assert (await fine.run_script("echo fine", timeout=2)).text == "fine\n"
        with pytest.raises(HostError, match=r"^w1: "):
            await endless
    assert time.monotonic() - began < 12


async def test_sudo_takes_the_password_of_the_inventory(accounts: TestLab) -> None:
    assert await told_by(host_of(accounts, user="asks", become_password=Secret(PASSWORD))) == "root\n"


async def test_sudo_s_password_is_asked_for_once_for_all_shells(accounts: TestLab) -> None:
    told = Told(PASSWORD)
    async with Pool(connect_timeout=8, asker=told) as pool:
        link = pool.link(host_of(accounts, user="asks"))
        found = await asyncio.gather(*(link.run_script("id -un; sleep 0.2", timeout=8) for _ in range(4)))
    assert [result.text for result in found] == ["root\n"] * 4
    assert told.questions == ["sudo password of asks"]


async def test_sudo_s_password_is_on_no_command_line(accounts: TestLab) -> None:
    host = host_of(accounts, user="asks", become_password=Secret(PASSWORD))
    seen = await told_by(host, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; env")
    assert "sudo -S" in seen
    assert PASSWORD not in seen


async def test_a_password_that_sudo_did_not_want_is_not_run(accounts: TestLab) -> None:
    host = host_of(accounts, user="noisy", become_password=Secret("touch /tmp/ran"))
    assert await told_by(host, "[ -e /tmp/ran ] || echo not run; id -un") == "not run\nroot\n"


async def test_a_login_shell_that_echoes_the_command_line_is_not_taken_for_sudo(accounts: TestLab) -> None:
    host = host_of(accounts, user="echoes", become_password=Secret("touch /tmp/ran"))
    assert await told_by(host, "[ -e /tmp/ran ] || echo not run; id -un") == "not run\nroot\n"


async def test_sudo_in_another_language_is_understood(accounts: TestLab) -> None:
    told = Told(PASSWORD)
    host = host_of(accounts, user="asks")
    accounts.inside("w1", "sh", "-c", "echo 'Defaults badpass_message=\"Falsch\"' >/etc/sudoers.d/language")
    try:
        assert await told_by(host, asker=told) == "root\n"
        with pytest.raises(BecomeError, match="sudo does not take this password of asks"):
            await told_by(host, asker=Told("wrong"))
    finally:
        accounts.inside("w1", "rm", "/etc/sudoers.d/language")


async def test_sudo_that_asks_where_nobody_answers_says_what_to_do(accounts: TestLab) -> None:
    with pytest.raises(BecomeError, match=r"^w1: sudo asks for a password: give it on a terminal or as ansible_b"):
        await told_by(host_of(accounts, user="asks"))


async def test_a_wrong_password_is_told_and_asked_for_again_the_next_time(accounts: TestLab) -> None:
    told = Told("wrong", PASSWORD)
    async with Pool(connect_timeout=8, asker=told) as pool:
        link = pool.link(host_of(accounts, user="asks"))
        with pytest.raises(BecomeError, match=r"^w1: sudo does not take this password"):
            await link.run_script("id -un", timeout=8)
        assert (await link.run_script("id -un", timeout=8)).text == "root\n"
    assert len(told.questions) == 2


async def test_a_user_who_may_not_use_sudo_is_told(accounts: TestLab) -> None:
    with pytest.raises(BecomeError, match=r"^w1: .*sudoers.*; allow it in /etc/sudoers.d, or leave out ansible"):
        await told_by(host_of(accounts, user="plain", become_password=Secret(PASSWORD)))


async def test_missing_sudo_is_named(accounts: TestLab) -> None:
    accounts.inside("w1", "mv", "/usr/bin/sudo", "/usr/bin/sudo.away")
    try:
        for user in ("orch", "fishy", "cshy"):
            with pytest.raises(BecomeError, match=r"^w1: sudo is missing; install it"):
                await told_by(host_of(accounts, user=user))
    finally:
        accounts.inside("w1", "mv", "/usr/bin/sudo.away", "/usr/bin/sudo")


async def test_passwords_instead_of_keys(accounts: TestLab) -> None:
    login: dict[str, Any] = {"user": "plain", "become_user": "", "port": PASSWORD_PORT, "key_file": ""}
    known = Path(host_of(accounts).login.known_hosts)
    known_lines = known.read_text()
    try:
        known.write_text(known_lines + re.sub(r"(?m)^(\S+)", rf"[\1]:{PASSWORD_PORT}", known_lines))
        assert await told_by(host_of(accounts, **login, password=Secret(PASSWORD))) == "plain\n"
        told = Told(PASSWORD)
        assert await told_by(host_of(accounts, **login), asker=told) == "plain\n"
        assert told.questions == ["Password of plain"]
        with pytest.raises(AuthError, match=r"refused plain at .*; the password is wrong; check ansible_user"):
            await told_by(host_of(accounts, **login, password=Secret("wrong")))
        with pytest.raises(AuthError, match=r"refused plain at .*check ansible_user"):
            await told_by(host_of(accounts, **login))
    finally:
        known.write_text(known_lines)


@pytest.mark.parametrize("frozen", ["the connection", "the listener"])
async def test_a_host_that_freezes_costs_its_own_time_alone(accounts: TestLab, frozen: str) -> None:
    async with Pool(connect_timeout=3) as pool:
        link, other = pool.link(host_of(accounts)), pool.link(host_of(accounts, "w2"))
        await other.run_script("true", timeout=5)
        if frozen == "the connection":
            await link.run_script("true", timeout=5)
            # All that serves this connection: its sshd, and not the one that listens.
            accounts.inside("w1", "pkill", "-STOP", "-f", "sshd: orch")
        else:
            accounts.inside("w1", "pkill", "-STOP", "-f", "sshd.*listener")
        try:
            began = time.monotonic()
            lost = asyncio.create_task(link.run_script("echo late", timeout=2))
            for _ in range(20):
                assert (await other.run_script("echo fine", timeout=1)).text == "fine\n"
            with pytest.raises((ConnectError, CommandError), match=r"^w1: (gave no answer within 2 s|no answer from)"):
                await lost
            assert time.monotonic() - began < 12
        finally:
            accounts.inside("w1", "pkill", "-CONT", "sshd")
        async with asyncio.timeout(20):
            while True:
                try:
                    assert (await link.run_script("echo back", timeout=5)).text == "back\n"
                    return
                except HostError:
                    await asyncio.sleep(0.2)


def test_a_full_disk_is_told_by_its_own_name(op: Operator) -> None:
    op.lab.inside("w1", "mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "tmpfs", "/tmp")
    script = op.folder / "script.sh"
    script.write_text("#!/bin/sh\n# " + "x" * 200_000 + "\necho ran\n")
    try:
        done = op.orch("run", "all", "--script", str(script), status=3)
        left = op.lab.inside("w1", "ls", "/tmp")
    finally:
        op.lab.inside("w1", "umount", "/tmp")
    assert "w1: the file cannot be written there" in done.stderr
    assert "No space left on device" in done.stderr
    assert done.stdout == "w2 | ran\nw3 | ran\n"
    assert left == ""


def test_ctrl_c_ends_the_commands_on_the_hosts_too(op: Operator) -> None:
    seconds = nap()
    argv = [ORCH, "run", "all", "-b", "--live", "--", f"echo begun; sleep {seconds}; sleep {seconds}"]
    with subprocess.Popen(
        argv, env={**os.environ, **op.env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline().endswith(b" | begun\n")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr.strip() == b"orch: interrupted"
    assert not running("sleep", seconds)
