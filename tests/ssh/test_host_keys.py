"""Host keys: no connection without one that is known, whatever the configuration says."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import msgspec
import pytest

import orch
from orch.errors import AuthError, HostKeyError
from orch.remote.known import KnownHosts
from orch.remote.pool import Pool
from orch.remote.target import target_of
from tests.ssh.conftest import Sshd, attempt, fingerprint, keygen, known_line, serving


@pytest.fixture(scope="module")
def many_types(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    kinds = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")
    with serving(tmp_path_factory.mktemp("types"), host_keys=kinds) as server:
        yield server


async def test_a_known_host_lets_us_in(sshd: Sshd) -> None:
    assert await attempt(sshd.host()) == "in\n"


async def test_a_hashed_file_is_understood(sshd: Sshd, tmp_path: Path) -> None:
    hashed = tmp_path / "known_hosts"
    hashed.write_text((sshd.folder / "known_hosts").read_text())
    keygen("-H", "-f", str(hashed))
    assert hashed.read_text().startswith("|1|")
    assert await attempt(sshd.host(known_hosts=str(hashed))) == "in\n"


@pytest.mark.parametrize("number", [0, 1, 2], ids=["ed25519", "ecdsa", "rsa"])
async def test_one_known_key_of_several_types_is_enough(many_types: Sshd, tmp_path: Path, number: int) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(known_line(many_types.port, many_types.folder / f"host_key{number}.pub"))
    assert await attempt(many_types.host(known_hosts=str(file))) == "in\n"


@pytest.mark.parametrize("other", ["", "[127.0.0.1]:1 "])
async def test_an_unknown_host_is_refused_with_its_fingerprint_and_the_way_out(
    sshd: Sshd, tmp_path: Path, other: str
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(other and other + (sshd.folder / "host_key0.pub").read_text())
    before = file.read_text()
    with pytest.raises(HostKeyError) as caught:
        await attempt(sshd.host(known_hosts=str(file)))
    assert str(caught.value) == (
        f"w1: the host key of 127.0.0.1:{sshd.port} is not known: ssh-ed25519 "
        f"{fingerprint(sshd.folder / 'host_key0.pub')}. Compare it with `ssh-keygen -lf "
        f"/etc/ssh/ssh_host_ed25519_key.pub` there; --accept-new trusts it and writes it to {file}"
    )
    assert file.read_text() == before


async def test_without_a_file_nobody_is_known(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(HostKeyError, match="is not known"):
        await attempt(sshd.host(known_hosts=str(tmp_path / "absent")))
    assert not (tmp_path / "absent").exists()


async def test_trust_on_first_use_is_written_down_and_holds(sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    assert await attempt(sshd.host(known_hosts=str(file)), accept_new=True) == "in\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert await attempt(sshd.host(known_hosts=str(file))) == "in\n"
    shown = subprocess.run(
        ["ssh-keygen", "-F", f"[127.0.0.1]:{sshd.port}", "-f", str(file)], capture_output=True, text=True, check=True
    )
    assert (sshd.folder / "host_key0.pub").read_text().split()[1] in shown.stdout


async def test_trust_on_first_use_keeps_what_the_file_has_and_hashes_as_it_does(sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("other.example.com " + (sshd.folder / "stranger_key.pub").read_text())
    keygen("-H", "-f", str(file))
    file.write_text(file.read_text().rstrip("\n"))
    before = file.read_text()
    await attempt(sshd.host(known_hosts=str(file)), accept_new=True)
    lines = file.read_text().splitlines()
    assert lines[0] == before
    assert lines[1].startswith("|1|")
    assert len(lines) == 2
    assert await attempt(sshd.host(known_hosts=str(file))) == "in\n"


@pytest.mark.parametrize(
    "config",
    [
        "StrictHostKeyChecking no",
        "StrictHostKeyChecking no\nUserKnownHostsFile none\nGlobalKnownHostsFile none",
        "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nGlobalKnownHostsFile /dev/null",
    ],
)
async def test_no_configuration_of_ssh_turns_the_verification_off(sshd: Sshd, tmp_path: Path, config: str) -> None:
    file = tmp_path / "config"
    file.write_text(config)
    absent = "" if "KnownHosts" in config else str(tmp_path / "absent")
    with pytest.raises(HostKeyError, match="is not known"):
        await attempt(sshd.host(known_hosts=absent, ssh_config=str(file)))


async def test_a_key_that_is_known_of_the_address_alone_does_not_stand_in_for_the_name(
    sshd: Sshd, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    real, stranger = (sshd.folder / "host_key0.pub").read_text(), (sshd.folder / "stranger_key.pub").read_text()
    file.write_text(f"[localhost]:{sshd.port} {stranger}[127.0.0.1]:{sshd.port} {real}")
    with pytest.raises(HostKeyError, match="its host key has changed"):
        await attempt(sshd.host(address="localhost", known_hosts=str(file)), accept_new=True)
    file.write_text(f"[127.0.0.1]:{sshd.port} {real}")
    with pytest.raises(HostKeyError, match="is not known"):
        await attempt(sshd.host(address="localhost", known_hosts=str(file)))


async def test_a_key_of_the_same_name_counts_for_a_port_of_its_own_and_another_is_no_change(
    sshd: Sshd, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    real, stranger = (sshd.folder / "host_key0.pub").read_text(), (sshd.folder / "stranger_key.pub").read_text()
    file.write_text(f"127.0.0.1 {real}")
    assert await attempt(sshd.host(known_hosts=str(file))) == "in\n"
    file.write_text(f"127.0.0.1 {stranger}")
    with pytest.raises(HostKeyError, match="is not known"):
        await attempt(sshd.host(known_hosts=str(file)))
    assert await attempt(sshd.host(known_hosts=str(file)), accept_new=True) == "in\n"
    assert await attempt(sshd.host(known_hosts=str(file))) == "in\n"


async def test_lines_that_cannot_be_read_are_passed_over_and_names_have_no_case(sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    real = (sshd.folder / "host_key0.pub").read_text()
    file.write_text(f"nonsense\n@strange x y\n|1|bad|hash {real}[LOCALHOST]:{sshd.port} {real}")
    assert await attempt(sshd.host(address="localhost", known_hosts=str(file))) == "in\n"


async def test_a_key_is_not_trusted_before_its_host_has_shown_that_it_is_its_own(tmp_path: Path, sshd: Sshd) -> None:
    file = tmp_path / "known_hosts"
    host = sshd.host(known_hosts=str(file), key_file=str(sshd.folder / "stranger_key"))
    with pytest.raises(AuthError):
        await attempt(host, accept_new=True)
    assert not file.exists()


async def test_an_alias_is_looked_up_instead_of_the_address(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("HostKeyAlias db-primary")
    file = tmp_path / "known_hosts"
    public = (sshd.folder / "host_key0.pub").read_text()
    file.write_text(f"[db-primary]:{sshd.port} {public}")
    assert await attempt(sshd.host(known_hosts=str(file), ssh_config=str(tmp_path / "config"))) == "in\n"


async def test_a_key_is_written_once_however_often_its_host_is_reached(sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    host = sshd.host(known_hosts=str(file))
    for _ in range(2):
        async with Pool(accept_new=True) as pool:
            for name in ("w1", "w1-again"):
                await pool.link(msgspec.structs.replace(host, name=name)).run_script("true", timeout=5)
    assert len(file.read_text().splitlines()) == 1


def test_there_is_one_place_that_connects_and_it_always_hands_over_known_hosts() -> None:
    calls = [
        (source.name, call)
        for source in Path(orch.__file__).parent.rglob("*.py")
        for call in ast.walk(ast.parse(source.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and _is_connect(call.func)
    ]
    assert [name for name, _ in calls] == ["connect.py"]
    given = {word.arg: word.value for word in calls[0][1].keywords}
    assert ast.unparse(given["known_hosts"]) == "known.trusted"


def _is_connect(function: ast.Attribute) -> bool:
    return ast.unparse(function.value) == "asyncssh" and (
        function.attr.startswith("connect") or function.attr in {"create_connection", "run_client"}
    )


async def test_of_two_keys_that_are_shown_for_one_name_at_once_the_second_is_refused(
    sshd: Sshd, tmp_path: Path
) -> None:
    """On two ways to it, side by side: neither was known when they began."""
    target = target_of(sshd.host(known_hosts=str(tmp_path / "known_hosts")))
    known = KnownHosts()
    first, second = (asyncssh.read_public_key(sshd.folder / f"{name}.pub") for name in ("host_key0", "stranger_key"))
    known.add("w1", target, first)
    known.add("w1", target, first)
    with pytest.raises(HostKeyError, match="another key"):
        known.add("w2", target, second)
    assert len((tmp_path / "known_hosts").read_text().splitlines()) == 1
