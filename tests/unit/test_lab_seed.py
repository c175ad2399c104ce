"""What is on a lab host's disk: the texts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orch.lab.layout import plan_lab
from orch.lab.seed import File, Keys, seed_files, system_accounts

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
sshd:x:104:65534::/run/sshd:/usr/sbin/nologin
last:x:999:999::/:/usr/sbin/nologin
alice:x:1000:1000:Alice:/home/alice:/bin/zsh
bob:x:60001:60001::/home/bob:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = """\
root:x:0:
daemon:x:1:
shadow:x:42:
alice:x:1000:
nogroup:x:65534:
broken
"""
LAB = plan_lab("dev", 2, 0, 0)
KEYS = Keys("PRIVATE", "ssh-ed25519 AAAA lab\n")


def seeded(passwd: str = PASSWD, group: str = GROUP, host: str = "w1") -> Mapping[str, File]:
    return seed_files(LAB, LAB.host(host), KEYS, passwd, group)


def test_only_the_systems_accounts_are_kept() -> None:
    assert list(system_accounts(PASSWD)) == ["daemon", "sshd", "last", "nobody"]
    assert system_accounts(PASSWD)["daemon"] == "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"


@pytest.mark.parametrize(
    "line", ["", "daemon", "daemon:x", "daemon:x:", "daemon:x:-1:1::/:", "orch:x:900:900::/:", "+::::::"]
)
def test_what_is_no_account_of_the_system_is_dropped(line: str) -> None:
    assert system_accounts(f"{line}\n") == {}


def test_a_host_has_roots_account_the_systems_and_its_users() -> None:
    assert seeded()["etc/passwd"] == File(
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
        "sshd:x:104:65534::/run/sshd:/usr/sbin/nologin\n"
        "last:x:999:999::/:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        "orch:x:1000:1000::/home/orch:/bin/sh\n"
    )


def test_no_password_of_the_machine_reaches_a_host() -> None:
    assert seeded()["etc/shadow"] == File(
        "root:*:19700::::::\n"
        "daemon:*:19700::::::\n"
        "sshd:*:19700::::::\n"
        "last:*:19700::::::\n"
        "nobody:*:19700::::::\n"
        "orch:*:19700::::::\n",
        mode=0o640,
    )


def test_a_host_has_the_systems_groups_and_its_users() -> None:
    assert seeded()["etc/group"] == File("root:x:0:\ndaemon:x:1:\nshadow:x:42:\nnogroup:x:65534:\norch:x:1000:\n")


@pytest.mark.parametrize("name", ["etc/passwd", "etc/shadow", "etc/group"])
def test_a_last_line_without_its_newline_stays_a_line(name: str) -> None:
    assert seeded(PASSWD.rstrip(), GROUP.removesuffix("\nbroken\n"))[name] == seeded()[name]


def test_the_machines_own_group_of_the_users_name_gives_way() -> None:
    lines = seeded(group=f"{GROUP}orch:x:990:\n")["etc/group"].text.splitlines()

    assert [line for line in lines if line.startswith("orch:")] == ["orch:x:1000:"]


def test_a_host_knows_its_own_name_and_those_of_all() -> None:
    files = seeded(host="w2")

    assert files["etc/hostname"] == File("w2\n")
    assert files["etc/hosts"] == File("127.0.0.1 localhost\n198.18.0.1 w1\n198.18.0.2 w2\n")


def test_a_machine_id_is_32_digits_of_the_hosts_own_that_stay() -> None:
    first, second = seeded(host="w1")["etc/machine-id"].text, seeded(host="w2")["etc/machine-id"].text

    assert len(bytes.fromhex(first.removesuffix("\n"))) == 16
    assert first == seeded(host="w1")["etc/machine-id"].text
    assert first != second


def test_keys_are_for_their_owners_eyes_alone() -> None:
    files = seeded()

    assert files["etc/ssh/ssh_host_ed25519_key"] == File("PRIVATE", mode=0o600)
    assert files["root/.ssh/authorized_keys"] == File(KEYS.authorized, mode=0o600)
    assert files["home/orch/.ssh/authorized_keys"] == File(KEYS.authorized, mode=0o600, owner=1000)
    assert [name for name, file in files.items() if "PRIVATE" in file.text] == ["etc/ssh/ssh_host_ed25519_key"]


def test_the_user_may_become_root_without_a_password() -> None:
    sudoers = seeded()["etc/sudoers"]

    assert "orch ALL=(ALL) NOPASSWD: ALL\n" in sudoers.text
    assert sudoers.mode == 0o440


def test_nobody_logs_in_with_a_password() -> None:
    assert "PasswordAuthentication no\n" in seeded()["etc/ssh/sshd_config"].text
