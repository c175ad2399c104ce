"""The cheapest algorithms first, and old hosts all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.remote.aside import Aside
from orch.remote.ask import Answers, Nobody
from orch.remote.connect import Access, connect
from orch.remote.dial import Dialer
from orch.remote.keys import KeyRing
from orch.remote.known import KnownHosts
from orch.remote.target import target_of
from tests.ssh.conftest import Sshd, attempt, serving


async def test_the_cheapest_that_both_know_are_agreed_on(sshd: Sshd) -> None:
    host, answers = sshd.host(), Answers(Nobody())
    access = Access(answers, KeyRing(answers), KnownHosts(), accept_new=False)
    async with await connect(host, target_of(host), access, Dialer(Aside()), timeout=5) as connection:
        agreed = {name: connection.get_extra_info(name) for name in ("send_cipher", "recv_cipher", "send_compression")}
    assert agreed == {
        "send_cipher": "aes128-gcm@openssh.com",
        "recv_cipher": "aes128-gcm@openssh.com",
        "send_compression": "none",
    }


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize(
    "config",
    [
        "Ciphers chacha20-poly1305@openssh.com",
        "Ciphers aes256-ctr\nMACs hmac-sha1",
        "KexAlgorithms diffie-hellman-group14-sha256",
        "KexAlgorithms ecdh-sha2-nistp256\nCiphers aes256-gcm@openssh.com",
    ],
)
async def test_a_host_that_knows_others_only_is_reached_too(tmp_path: Path, config: str) -> None:
    with serving(tmp_path, config, host_keys=("ssh-rsa",)) as server:
        assert await attempt(server.host()) == "in\n"
