"""Passwords: however a server asks for them, to whom they go, and what becomes of a wrong one.

The servers are asyncssh's own, since they can say what they were told; sshd with passwords is in the lab's tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import msgspec
import pytest

from orch.errors import AuthError, HostError
from orch.inventory.hosts import Host
from orch.model.secret import Secret
from orch.remote.pool import Pool
from tests.ssh.conftest import Thinking, Told, attempt, make_host

Challenge = tuple[str, str, str, list[tuple[str, bool]]]


class Server(asyncssh.SSHServer):
    """Lets in who knows `right`, asked for as a password or, with `interactive`, by a question."""

    def __init__(self, told: list[str], right: str, interactive: bool) -> None:
        self._told, self._right, self._interactive = told, right, interactive

    def password_auth_supported(self) -> bool:
        return not self._interactive

    def validate_password(self, username: str, password: str) -> bool:
        self._told.append(password)
        return password == self._right

    def kbdint_auth_supported(self) -> bool:
        return self._interactive

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "", "", "", [("Password:", False)]

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        self._told.extend(responses)
        return list(responses) == [self._right]


@asynccontextmanager
async def serving(
    folder: Path, told: list[str], right: str = "right", *, interactive: bool = False
) -> AsyncIterator[Host]:
    """A host, known, that runs nothing and puts what it was told into `told`."""
    key = asyncssh.generate_private_key("ssh-ed25519")

    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: Server(told, right, interactive), server_host_keys=[key],
    )  # fmt: skip
    port = server.get_port()
    known = folder / f"known{port}"
    known.write_text(f"[127.0.0.1]:{port} {key.export_public_key().decode()}")
    async with server:
        yield make_host(address="127.0.0.1", port=port, user="db", known_hosts=str(known), ssh_config="/dev/null")


@pytest.fixture(autouse=True)
def no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.mark.parametrize("interactive", [False, True])
async def test_a_password_is_given_however_it_is_asked_for(tmp_path: Path, interactive: bool) -> None:
    told: list[str] = []
    async with serving(tmp_path, told, interactive=interactive) as host, Pool(asker=Told("right")) as pool:
        await pool.link(host).open()
    assert told == ["right"]


@pytest.mark.parametrize("interactive", [False, True])
async def test_a_wrong_one_is_sent_once_and_asked_for_again_the_next_time(tmp_path: Path, interactive: bool) -> None:
    told: list[str] = []
    person = Told("typo", "right")
    async with serving(tmp_path, told, interactive=interactive) as host, Pool(asker=person) as pool:
        with pytest.raises(AuthError, match="the password is wrong"):
            await pool.link(host).open()
        await asyncio.sleep(1.1)  # Its failure is remembered for a second at most.
        await pool.link(host).open()
    assert told == ["typo", "right"]
    assert person.questions == ["Password of db"] * 2


@pytest.mark.parametrize("interactive", [False, True])
async def test_while_a_person_types_others_take_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interactive: bool
) -> None:
    monkeypatch.setattr("orch.remote.dial.HANDSHAKES", 1)
    told: list[str] = []
    person = Thinking("right")
    async with (
        serving(tmp_path, told, interactive=interactive) as host,
        Pool(asker=person) as pool,
        asyncio.timeout(20),
    ):
        asking = asyncio.create_task(pool.link(host).open())
        await person.asked.wait()
        login = msgspec.structs.replace(host.login, password=Secret("right"))
        await pool.link(msgspec.structs.replace(host, name="other", login=login)).open()
        assert not asking.done()
        person.answer.set()
        await asking
    assert told == ["right"] * 2


async def test_a_jump_host_is_not_told_the_host_s_password(tmp_path: Path) -> None:
    at_jump: list[str] = []
    person = Told("for the jump host")
    async with serving(tmp_path, at_jump, right="never") as jump:
        where = f"me@127.0.0.1:{jump.login.port}"
        host = make_host(
            address="w1", user="db", password=Secret("hunter2"), proxy_jump=where, ssh_config="/dev/null",
            known_hosts=jump.login.known_hosts,
        )  # fmt: skip
        with pytest.raises(HostError, match="its jump host cannot be used"):
            await attempt(host, asker=person)
    assert at_jump == ["for the jump host"]
    assert person.questions == [f"Password of me at 127.0.0.1:{jump.login.port}"]
