"""Host keys that have changed, are revoked or signed: refused or trusted, with the file and line that says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orch.errors import HostKeyError
from orch.inventory.hosts import Host
from tests.ssh.conftest import Sshd, attempt, fingerprint, keygen, known_line, serving, write_key


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
