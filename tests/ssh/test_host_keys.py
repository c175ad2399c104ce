"""Host keys: no connection without one that is known, whatever the configuration says."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import msgspec
import pytest

import orch
from orch.errors import AuthError, HostKeyError
from orch.inventory.hosts import Host
from orch.remote.known import KnownHosts
from orch.remote.pool import Pool
from orch.remote.target import target_of
from tests.ssh.conftest import Sshd, attempt, known_line, serving, write_key


@pytest.fixture(scope="module")
def many_types(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    kinds = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")
    with serving(tmp_path_factory.mktemp("types"), host_keys=kinds) as server:
        yield server


def fingerprint(public: Path) -> str:
    return asyncssh.read_public_key(str(public)).get_fingerprint()


def keygen(*words: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)


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


async def test_a_changed_key_is_refused_with_both_fingerprints_also_with_trust_on_first_use(
    sshd: Sshd, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(known_line(sshd.port, sshd.folder / "stranger_key.pub"))
    before = file.read_text()
    for accept_new in (False, True):
        with pytest.raises(HostKeyError) as caught:
            await attempt(sshd.host(known_hosts=str(file)), accept_new=accept_new)
        said = str(caught.value)
        assert said.startswith("w1: its host key has changed: ")
        assert fingerprint(sshd.folder / "host_key0.pub") in said
        assert fingerprint(sshd.folder / "stranger_key.pub") in said
        assert f"and {file}:1 knows" in said
        assert f"ssh-keygen -f {file} -R '[127.0.0.1]:{sshd.port}', then --accept-new" in said
    assert file.read_text() == before


def three_files(sshd: Sshd, folder: Path, contents: list[str]) -> tuple[list[Path], Host]:
    """Two of the user and one of the system."""
    files = [folder / name for name in ("mine", "mine2", "system")]
    for file, content in zip(files, contents, strict=True):
        file.write_text(content)
    config = folder / "config"
    config.write_text(f"UserKnownHostsFile {files[0]} {files[1]}\nGlobalKnownHostsFile {files[2]}\n")
    return files, sshd.host(known_hosts="", ssh_config=str(config))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("hashed", [False, True])
async def test_the_file_that_knows_another_key_is_named_with_the_line(
    sshd: Sshd, tmp_path: Path, number: int, hashed: bool
) -> None:
    contents = ["# nothing\nother.example " + (sshd.folder / "stranger_key.pub").read_text()] * 3
    contents[number] += known_line(sshd.port, sshd.folder / "stranger_key.pub")
    files, host = three_files(sshd, tmp_path, contents)
    if hashed:
        keygen("-H", "-f", str(files[number]))
    with pytest.raises(HostKeyError) as caught:
        await attempt(host, accept_new=True)
    said, name = str(caught.value), f"[127.0.0.1]:{sshd.port}"
    assert f", and {files[number]}:3 knows {fingerprint(sshd.folder / 'stranger_key.pub')}. Either" in said
    assert said.endswith(f"If it was set up anew: ssh-keygen -f {files[number]} -R '{name}', then --accept-new")
    # And what it says to do helps.
    keygen("-f", str(files[number]), "-R", name)
    assert await attempt(host, accept_new=True) == "in\n"


async def test_several_places_are_named_and_a_pattern_is_for_the_user_to_narrow(sshd: Sshd, tmp_path: Path) -> None:
    stranger = (sshd.folder / "stranger_key.pub").read_text()
    named = known_line(sshd.port, sshd.folder / "stranger_key.pub")
    files, host = three_files(sshd, tmp_path, [named, f"[127.0.0.*]:{sshd.port} {stranger}", named])
    with pytest.raises(HostKeyError) as caught:
        await attempt(host)
    said, name = str(caught.value), f"[127.0.0.1]:{sshd.port}"
    assert f"{files[0]}:1 and {files[1]}:1 and {files[2]}:1 knows" in said
    assert (
        f"ssh-keygen -f {files[0]} -R '{name}', ssh-keygen -f {files[2]} -R '{name}', narrow what {files[1]}:1 says, "
        "then --accept-new" in said
    )


async def test_an_alias_that_has_changed_is_removed_by_its_alias(sshd: Sshd, tmp_path: Path) -> None:
    config, file = tmp_path / "config", tmp_path / "known_hosts"
    config.write_text("HostKeyAlias db-primary\n")
    file.write_text(f"[db-primary]:{sshd.port} " + (sshd.folder / "stranger_key.pub").read_text())
    with pytest.raises(HostKeyError, match=rf"-R '\[db-primary\]:{sshd.port}', then"):
        await attempt(sshd.host(known_hosts=str(file), ssh_config=str(config)))


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_the_file_that_revokes_a_key_is_named_with_the_line(sshd: Sshd, tmp_path: Path, number: int) -> None:
    contents = [known_line(sshd.port, sshd.folder / "host_key0.pub")] * 3
    contents[number] += "\n@revoked * " + (sshd.folder / "host_key0.pub").read_text()
    files, host = three_files(sshd, tmp_path, contents)
    with pytest.raises(HostKeyError, match=rf"Host key is revoked.*; is revoked in {files[number]}:3; give the host"):
        await attempt(host, accept_new=True)


async def test_a_host_that_has_no_key_of_the_known_type_any_more_has_changed(sshd: Sshd, tmp_path: Path) -> None:
    write_key(tmp_path / "old", "ssh-rsa")
    file = tmp_path / "known_hosts"
    file.write_text(known_line(sshd.port, tmp_path / "old.pub"))
    with pytest.raises(HostKeyError, match=rf"has changed.*{re.escape(fingerprint(tmp_path / 'old.pub'))}"):
        await attempt(sshd.host(known_hosts=str(file)), accept_new=True)


async def test_a_key_signed_by_a_known_authority_is_trusted_and_another_not(tmp_path: Path) -> None:
    for name in ("authority", "other"):
        write_key(tmp_path / name, "ssh-ed25519")
    folder = tmp_path / "server"
    folder.mkdir()
    write_key(folder / "signed", "ssh-ed25519")
    keygen("-s", str(tmp_path / "authority"), "-I", "w1", "-h", "-n", "127.0.0.1", str(folder / "signed.pub"))
    certified = (f"HostKey {folder}/signed", f"HostCertificate {folder}/signed-cert.pub")
    with serving(folder, *certified) as server:
        file = tmp_path / "known_hosts"
        file.write_text("@cert-authority * " + (tmp_path / "authority.pub").read_text())
        assert await attempt(server.host(known_hosts=str(file))) == "in\n"
        file.write_text("@cert-authority * " + (tmp_path / "other.pub").read_text())
        with pytest.raises(HostKeyError, match=r"^w1: .*; its authority stands in .*/known_hosts:1; have it signed"):
            await attempt(server.host(known_hosts=str(file)))


async def test_a_revoked_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    key = (sshd.folder / "host_key0.pub").read_text()
    file.write_text(f"@revoked * {key}" + known_line(sshd.port, sshd.folder / "host_key0.pub"))
    for accept_new in (False, True):
        with pytest.raises(HostKeyError, match=r"cannot be trusted: .*revoked"):
            await attempt(sshd.host(known_hosts=str(file)), accept_new=accept_new)


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


@pytest.mark.parametrize("where", ["the port", "the system's file"])
async def test_a_key_revoked_elsewhere_is_refused_too(sshd: Sshd, tmp_path: Path, where: str) -> None:
    file, system, config = tmp_path / "known_hosts", tmp_path / "system", tmp_path / "config"
    real = (sshd.folder / "host_key0.pub").read_text()
    config.write_text(f"GlobalKnownHostsFile {system}\n")
    revoked = f"@revoked [127.0.0.1]:{sshd.port} {real}"
    (file if where == "the port" else system).write_text(revoked)
    with file.open("a") as opened:
        opened.write(
            f"127.0.0.1 {real}" if where == "the port" else known_line(sshd.port, sshd.folder / "host_key0.pub")
        )
    with pytest.raises(HostKeyError, match="revoked"):
        await attempt(sshd.host(known_hosts=str(file), ssh_config=str(config)))


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
