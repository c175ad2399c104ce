"""Where a connection goes: the inventory's words over ssh's own."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from orch.errors import ConnectError
from orch.model.secret import Secret
from orch.remote import target as module
from orch.remote.target import Target, target_of
from tests.ssh.conftest import make_host


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without anything, and no agent nor configuration of the system."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(module, "SYSTEM_CONFIG", str(tmp_path / "ssh_config"))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def resolved(home: Path, config: str, **login: object) -> Target:
    (home / ".ssh/config").write_text(config)
    return target_of(make_host(**{"address": "web1", **login}))


def test_without_anything_ssh_s_defaults_count(home: Path) -> None:
    assert target_of(make_host(address="web1")) == Target(
        address="web1",
        port=22,
        user=getpass.getuser(),
        key_files=tuple(str(home / ".ssh" / name) for name in ("id_ed25519", "id_ecdsa", "id_rsa")),
        explicit_key=False,
        identities_only=False,
        agent="",
        known_hosts=(
            str(home / ".ssh/known_hosts"),
            str(home / ".ssh/known_hosts2"),
            "/etc/ssh/ssh_known_hosts",
            "/etc/ssh/ssh_known_hosts2",
        ),
        host_key_alias="",
        netns="",
        jump=None,
        proxy_command="",
    )


CONFIG = """
Host web*
    HostName 192.0.2.7
    Port 2222
    User deploy
    IdentityFile ~/.ssh/fleet
    IdentityFile /keys/second
    IdentitiesOnly yes
    IdentityAgent ~/agent
    UserKnownHostsFile ~/.ssh/fleet_hosts
    GlobalKnownHostsFile none
    HostKeyAlias the-web
Host *
    User other
"""


def test_ssh_s_configuration_fills_what_the_inventory_leaves_open(home: Path) -> None:
    found = resolved(home, CONFIG)
    assert (found.address, found.port, found.user) == ("192.0.2.7", 2222, "deploy")
    assert found.key_files == (str(home / ".ssh/fleet"), "/keys/second")
    assert (found.explicit_key, found.identities_only, found.agent) == (False, True, str(home / "agent"))
    assert found.known_hosts[0] == str(home / ".ssh/fleet_hosts")
    assert found.host_key_alias == "the-web"


def test_the_inventory_wins(home: Path) -> None:
    found = resolved(home, CONFIG, port=22, user="me", key_file="/mine", known_hosts="/known")
    assert (found.port, found.user, found.key_files, found.known_hosts[0]) == (22, "me", ("/mine",), "/known")
    assert found.explicit_key is True


def test_the_user_s_file_wins_over_the_system_s(home: Path) -> None:
    (home / "ssh_config").write_text("Host *\n  User system\n  Port 99\n")
    found = resolved(home, "Host web1\n  User mine\n")
    assert (found.user, found.port) == ("mine", 99)


def test_a_file_of_its_own_takes_the_place_of_both(home: Path) -> None:
    (home / "other").write_text("Port 7\n")
    (home / "ssh_config").write_text("Host *\n  User system\n")
    found = resolved(home, CONFIG, ssh_config=str(home / "other"))
    assert (found.address, found.port, found.user) == ("web1", 7, getpass.getuser())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("bastion", ("bastion", 22, None)),
        ("ops@bastion", ("bastion", 22, "ops")),
        ("ops@bastion:2200", ("bastion", 2200, "ops")),
        ("ssh://ops@bastion:2200", ("bastion", 2200, "ops")),
        ("[2001:db8::1]:2200", ("2001:db8::1", 2200, None)),
        ("ops@host.name@bastion", ("bastion", 22, "ops@host.name")),
    ],
)
def test_a_jump_host_is_read_as_ssh_reads_it(home: Path, written: str, expected: tuple[str, int, str | None]) -> None:
    jump = resolved(home, "", proxy_jump=written).jump
    assert jump is not None
    assert (jump.address, jump.port, jump.user) == (expected[0], expected[1], expected[2] or getpass.getuser())


def test_jump_hosts_in_a_row_are_gone_through_from_the_first_to_the_last(home: Path) -> None:
    found = resolved(home, "", proxy_jump="a,b:2,c")
    names = []
    while found.jump is not None:
        found = found.jump
        names.append((found.address, found.port))
    assert names == [("c", 22), ("b", 2), ("a", 22)]


def test_none_is_no_jump_host_whatever_the_configuration_says(home: Path) -> None:
    assert resolved(home, "Host *\n  ProxyJump a\n", proxy_jump="none").jump is None
    assert resolved(home, "Host web1\n  ProxyJump none\n").jump is None


@pytest.mark.parametrize(
    ("config", "jump", "command"),
    [
        ("Host *\n ProxyJump a\n ProxyCommand run %h\n", "a", ""),
        ("Host *\n ProxyCommand run %h\n ProxyJump a\n", "", "run web1"),
        ("Host web1\n ProxyCommand none\nHost *\n ProxyJump a\n", "", ""),
        ("Host web1\n ProxyJump none\nHost *\n ProxyCommand run %h\n", "", ""),
        ("Host other\n ProxyJump b\nHost web1\n ProxyCommand run\nMatch all\n ProxyJump a\n", "", "run"),
        ("Host *\n User me\n Port 7\n ProxyJump a\nHost web1\n ProxyCommand none\n", "a", ""),
    ],
)
def test_the_first_of_jump_hosts_and_a_proxy_command_counts(home: Path, config: str, jump: str, command: str) -> None:
    found = resolved(home, config.replace("Host *", "Match originalhost web*"))
    assert (found.jump.address if found.jump else "", found.proxy_command) == (jump, command)


def test_jump_hosts_of_the_inventory_leave_no_proxy_command(home: Path) -> None:
    found = resolved(home, "Host web1\n  ProxyCommand run\n", proxy_jump="a")
    assert (found.jump is not None, found.proxy_command) == (True, "")


def test_jump_hosts_share_the_hosts_keys_and_known_hosts(home: Path) -> None:
    found = resolved(home, "", proxy_jump="a", key_file="/mine", known_hosts="/known", netns="lab")
    assert found.jump is not None
    assert (found.jump.key_files, found.jump.known_hosts[0], found.jump.netns) == (("/mine",), "/known", "lab")


def test_the_host_s_password_is_not_for_those_on_the_way(home: Path) -> None:
    found = resolved(home, "", proxy_jump="a,b", password=Secret("hunter2"))
    assert found.password == Secret("hunter2")
    assert found.jump is not None
    assert found.jump.jump is not None
    assert found.jump.password == found.jump.jump.password == Secret()
    assert (found.is_jump, found.jump.is_jump) == (False, True)


def test_a_jump_host_s_own_key_comes_before_the_host_s(home: Path) -> None:
    found = resolved(home, "Host gate\n  IdentityFile /gate\n", proxy_jump="gate", key_file="/mine")
    assert found.jump is not None
    assert (found.key_files, found.jump.key_files) == (("/mine",), ("/gate",))


def test_no_agent_means_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    assert resolved(home, "").agent == "/agent"
    assert resolved(home, "IdentityAgent none\n").agent == ""


@pytest.mark.parametrize("written", ["a b", ":22", "a:port", "a,,b", "@a"])
def test_what_is_no_jump_host_is_an_error_with_its_place(home: Path, written: str) -> None:
    with pytest.raises(ConnectError, match=r"^w1: expected a jump host like user@bastion:22, .*\(inventory\.yml:7\)$"):
        resolved(home, "", proxy_jump=written)


def test_where_it_goes_is_told_with_the_way(home: Path) -> None:
    found = resolved(home, "", address="2001:db8::5", proxy_jump="a:2,b")
    assert found.where == "[2001:db8::5]:22 through b:22 through a:2"
