"""Keys, agents, passphrases: which are tried, and what is said when none is taken."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import msgspec
import pytest

from orch.errors import AuthError, ConnectError
from orch.model.secret import Secret
from orch.remote.pool import Pool
from tests.ssh.conftest import Sshd, Thinking, Told, attempt, serving, write_key

PASSPHRASE = "correct horse"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Its socket is `args[-1]`."""
    socket = str(tmp_path / "agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()  # It says where it listens when it does.
            yield process
        finally:
            process.terminate()


def add(agent: subprocess.Popen[bytes], key: Path) -> None:
    env = {**os.environ, "SSH_AUTH_SOCK": socket_of(agent)}
    subprocess.run(["ssh-add", "-q", str(key)], env=env, check=True, capture_output=True)


def socket_of(agent: subprocess.Popen[bytes]) -> str:
    assert isinstance(agent.args, list)
    return str(agent.args[-1])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without keys, and no agent."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


async def test_the_agents_keys_are_tried(
    sshd: Sshd, agent: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(agent, sshd.folder / "stranger_key")
    add(agent, sshd.folder / "client_key")
    monkeypatch.setenv("SSH_AUTH_SOCK", socket_of(agent))
    assert await attempt(sshd.host(key_file="")) == "in\n"


async def test_the_agent_helps_where_the_key_of_the_inventory_is_refused(
    sshd: Sshd, agent: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(agent, sshd.folder / "client_key")
    monkeypatch.setenv("SSH_AUTH_SOCK", socket_of(agent))
    assert await attempt(sshd.host(key_file=str(sshd.folder / "stranger_key"))) == "in\n"


async def test_one_agent_serves_many_connections_at_once(
    sshd: Sshd, agent: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(agent, sshd.folder / "client_key")
    monkeypatch.setenv("SSH_AUTH_SOCK", socket_of(agent))
    async with Pool(connect_timeout=5) as pool:
        hosts = [msgspec.structs.replace(sshd.host(key_file=""), name=f"w{n}") for n in range(8)]
        found = await asyncio.gather(*(pool.link(host).run_script("echo in", timeout=5) for host in hosts))
    assert [result.text for result in found] == ["in\n"] * 8


SEVEN, TRIES = 7, 3


@pytest.fixture
def full_agent(agent: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agent with seven keys, the last of which is `right`; the folder of their public halves, as `right.pub`."""
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in [*(f"wrong{n}" for n in range(SEVEN - 1)), "right"]:
        write_key(keys / name, "ssh-ed25519")
        add(agent, keys / name)
        (keys / name).unlink()
    monkeypatch.setenv("SSH_AUTH_SOCK", socket_of(agent))
    return keys


@pytest.fixture
def strict(tmp_path: Path, full_agent: Path) -> Iterator[Sshd]:
    """A server that takes the right key, three tries, and writes down what was tried."""
    folder = tmp_path / "strict"
    folder.mkdir()
    with serving(folder, f"MaxAuthTries {TRIES}", "LogLevel VERBOSE") as server:
        (folder / "authorized_keys").write_text((full_agent / "right.pub").read_text())
        yield server


def tried(server: Sshd) -> list[str]:
    """Fingerprints of the keys that it was offered, in order."""
    return re.findall(r"(?:Failed|Accepted) publickey .*(SHA256:\S+)", (server.folder / "log").read_text())


def fingerprint(public: Path) -> str:
    return asyncssh.read_public_key(str(public)).get_fingerprint()


async def test_an_agent_with_more_keys_than_tries_is_named_with_the_way_out(strict: Sshd) -> None:
    with pytest.raises(AuthError) as caught:
        await attempt(strict.host(key_file=""))
    assert str(caught.value) == (
        f"w1: 127.0.0.1:{strict.port} takes no more tries of root (MaxAuthTries in its sshd_config), and your ssh "
        f"agent has {SEVEN} keys; name the right one, and it goes first: its file, or a copy of its public half, as "
        "ansible_ssh_private_key_file or as IdentityFile in ~/.ssh/config (inventory.yml:7)"
    )


@pytest.mark.parametrize("where", ["inventory, beside", "inventory, in", "configuration, beside", "configuration, in"])
async def test_the_agent_s_key_that_is_named_goes_first(strict: Sshd, full_agent: Path, home: Path, where: str) -> None:
    file = str(full_agent / ("right" if "beside" in where else "right.pub"))
    if "configuration" in where:
        (home / ".ssh/config").write_text(f"IdentityFile {full_agent}/absent\nIdentityFile {file}\n")
    assert await attempt(strict.host(key_file=file if "inventory" in where else "")) == "in\n"
    assert tried(strict) == [fingerprint(full_agent / "right.pub")]


async def test_named_keys_of_the_agent_are_tried_in_the_order_of_their_names(
    strict: Sshd, full_agent: Path, home: Path
) -> None:
    names = ("wrong4", "wrong2", "right")
    (home / ".ssh/config").write_text("".join(f"IdentityFile {full_agent}/{name}\n" for name in names))
    assert await attempt(strict.host(key_file="")) == "in\n"
    assert tried(strict) == [fingerprint(full_agent / f"{name}.pub") for name in names]


async def test_a_key_that_was_refused_from_its_file_is_not_tried_again_from_the_agent(
    strict: Sshd, full_agent: Path, agent: subprocess.Popen[bytes]
) -> None:
    public = fingerprint(strict.folder / "stranger_key.pub")
    add(agent, strict.folder / "stranger_key")
    with pytest.raises(AuthError, match="takes no more tries"):
        await attempt(strict.host(key_file=str(strict.folder / "stranger_key")))
    assert tried(strict).count(public) == 1


async def test_with_identities_only_the_agent_s_other_keys_are_not_offered(
    strict: Sshd, full_agent: Path, home: Path
) -> None:
    (home / ".ssh/config").write_text(f"IdentitiesOnly yes\nIdentityFile {full_agent}/wrong3\n")
    with pytest.raises(AuthError, match="with your default keys and 1 of your ssh agent"):
        await attempt(strict.host(key_file=""))
    assert tried(strict) == [fingerprint(full_agent / "wrong3.pub")]


async def test_too_many_files_of_keys_are_said_to_be(strict: Sshd, tmp_path: Path, home: Path) -> None:
    for name in "abcd":
        write_key(tmp_path / name, "ssh-ed25519")
    lines = "".join(f"IdentityFile {tmp_path}/{name}\n" for name in "abcd")
    (home / ".ssh/config").write_text(f"IdentityAgent none\n{lines}")
    with pytest.raises(
        AuthError, match=r"takes no more tries of root .*; name the right key with .*\(inventory\.yml:7\)$"
    ):
        await attempt(strict.host(key_file=""))


async def test_an_agent_that_is_gone_is_said_to_be(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    with pytest.raises(AuthError, match=rf"the ssh agent at {re.escape(str(tmp_path / 'gone'))} does not answer"):
        await attempt(sshd.host(key_file=""))


async def test_an_agent_that_hangs_costs_no_more_than_the_time_out(
    sshd: Sshd, agent: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", socket_of(agent))
    agent.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(5):
            with pytest.raises(AuthError, match=r"the ssh agent at .* does not answer"):
                await attempt(sshd.host(key_file=""), timeout=1)
    finally:
        agent.send_signal(signal.SIGCONT)


async def test_default_keys_are_tried_all(sshd: Sshd, home: Path) -> None:
    for kind, source in (("id_ed25519", "stranger_key"), ("id_ecdsa", "client_key")):
        (home / ".ssh" / kind).write_text((sshd.folder / source).read_text())
    assert await attempt(sshd.host(key_file="")) == "in\n"


async def test_identity_files_of_ssh_s_configuration_are_tried_all(sshd: Sshd, home: Path) -> None:
    (home / ".ssh/config").write_text(
        f"Host other\n  User nobody\nHost 127.*\n  IdentityFile {sshd.folder}/stranger_key\n"
        f"  IdentityFile {sshd.folder}/client_key\n"
    )
    assert await attempt(sshd.host(key_file="")) == "in\n"


async def test_without_any_key_the_refusal_says_what_was_tried(sshd: Sshd) -> None:
    with pytest.raises(AuthError) as caught:
        await attempt(sshd.host(key_file=""))
    assert str(caught.value) == (
        f"w1: refused root at 127.0.0.1:{sshd.port} with your default keys; check ansible_user and "
        "ansible_ssh_private_key_file for w1 (inventory.yml:7)"
    )


async def test_a_passphrase_is_asked_for_once_for_all_hosts(sshd: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    key = asyncssh.read_private_key(str(sshd.folder / "client_key"))
    locked.touch(mode=0o600)
    key.write_private_key(str(locked), passphrase=PASSPHRASE)
    told = Told(PASSPHRASE)
    async with Pool(connect_timeout=5, asker=told) as pool:
        hosts = [msgspec.structs.replace(sshd.host(key_file=str(locked)), name=f"w{n}") for n in range(5)]
        found = await asyncio.gather(*(pool.link(host).run_script("echo in", timeout=5) for host in hosts))
    assert [result.text for result in found] == ["in\n"] * 5
    assert told.questions == [f"Passphrase of {locked}"]


async def test_a_slow_answer_does_not_cost_the_host_its_time(sshd: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    asyncssh.read_private_key(str(sshd.folder / "client_key")).write_private_key(str(locked), passphrase=PASSPHRASE)

    class Slow(Told):
        async def ask(self, question: str) -> Secret | None:
            await asyncio.sleep(1.5)  # Longer than the time-out: this is what is tested.
            return await super().ask(question)

    assert await attempt(sshd.host(key_file=str(locked)), timeout=1, asker=Slow(PASSPHRASE)) == "in\n"


async def test_while_a_person_types_a_passphrase_others_take_the_place(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orch.remote.dial.HANDSHAKES", 1)
    locked, person = tmp_path / "locked", Thinking(PASSPHRASE)
    asyncssh.read_private_key(str(sshd.folder / "client_key")).write_private_key(str(locked), passphrase=PASSPHRASE)
    async with Pool(connect_timeout=9, asker=person) as pool, asyncio.timeout(20):
        asking = asyncio.create_task(pool.link(sshd.host(key_file=str(locked))).open())
        await person.asked.wait()
        other = msgspec.structs.replace(sshd.host(), name="other")
        assert (await pool.link(other).run_script("echo in", timeout=5)).text == "in\n"
        assert not asking.done()
        person.answer.set()
        await asking


async def test_a_wrong_passphrase_is_asked_for_again_and_then_named(sshd: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    asyncssh.read_private_key(str(sshd.folder / "client_key")).write_private_key(str(locked), passphrase=PASSPHRASE)
    assert await attempt(sshd.host(key_file=str(locked)), asker=Told("no", PASSPHRASE)) == "in\n"
    told = Told("no", "neither", "nor this")
    with pytest.raises(AuthError, match=rf"^w1: the passphrase of {re.escape(str(locked))} was wrong 3 times$"):
        await attempt(sshd.host(key_file=str(locked)), asker=told)
    assert len(told.questions) == 3


async def test_a_passphrase_that_nobody_can_give_is_named_with_the_way_out(sshd: Sshd, tmp_path: Path) -> None:
    write_key(tmp_path / "locked", "ssh-ed25519", PASSPHRASE)
    with pytest.raises(AuthError, match=rf"{re.escape(str(tmp_path / 'locked'))} has a passphrase; add it to an ssh-a"):
        await attempt(sshd.host(key_file=str(tmp_path / "locked")))


async def test_a_certificate_beside_the_key_is_used(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("authority", "id"):
        write_key(tmp_path / name, "ssh-ed25519")
    words = ["ssh-keygen", "-q", "-s", str(tmp_path / "authority"), "-I", "me", "-n", "root", str(tmp_path / "id.pub")]
    subprocess.run(words, check=True, capture_output=True)
    with pytest.raises(AuthError):
        await attempt(sshd.host(key_file=str(tmp_path / "id")))
    file = sshd.folder / "authorized_keys"
    before = file.read_text()
    try:
        file.write_text(f"{before}cert-authority {(tmp_path / 'authority.pub').read_text()}")
        assert await attempt(sshd.host(key_file=str(tmp_path / "id"))) == "in\n"
    finally:
        file.write_text(before)


async def test_bad_configuration_of_ssh_is_named_with_its_line(sshd: Sshd, home: Path) -> None:
    (home / ".ssh/config").write_text("Host *\n  Port many\n")
    with pytest.raises(ConnectError, match=r"^w1: ssh's configuration cannot be used: .*config.*line 2"):
        await attempt(sshd.host())
