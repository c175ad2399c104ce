"""Where a connection goes: the inventory's words over those of ssh's own configuration files.

What is read of the latter: HostName, Port, User, IdentityFile, IdentitiesOnly, IdentityAgent, ProxyJump, ProxyCommand,
UserKnownHostsFile, GlobalKnownHostsFile, HostKeyAlias; with Host, Match and Include. Whatever it says of host key
checking is not: host keys are always verified.
"""

from __future__ import annotations

import getpass
import os
import re
from pathlib import Path
from typing import cast

import msgspec
from asyncssh import ConfigParseError
from asyncssh.config import SSHClientConfig

from orch.errors import ConnectError
from orch.inventory.hosts import Host
from orch.inventory.login import Login
from orch.model.secret import Secret

DEFAULT_PORT = 22
SYSTEM_CONFIG = "/etc/ssh/ssh_config"
_USER_CONFIG = "~/.ssh/config"
_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_HOP = re.compile(r"(?:ssh://)?(?:(\S+)@)?(\[[^\]]+\]|[^:@\s]+)(?::([0-9]{1,5}))?")
_MOST_HOPS = 8


class Target(msgspec.Struct, frozen=True):
    """One end of an SSH connection. Files are absolute; those in `known_hosts` may not exist, the first is the one
    that new keys are written to. `explicit_key`: the inventory names the key. `agent` is the agent's socket, empty
    for none. `jump` is the host through which it is reached, which may have one itself."""

    address: str
    port: int
    user: str
    key_files: tuple[str, ...]
    explicit_key: bool
    identities_only: bool
    agent: str
    known_hosts: tuple[str, ...]
    host_key_alias: str
    netns: str
    jump: Target | None
    proxy_command: str
    password: Secret = Secret()
    is_jump: bool = False

    @property
    def where(self) -> str:
        """`address:port`, and through whom."""
        name = f"[{self.address}]" if ":" in self.address else self.address
        return f"{name}:{self.port}" + (f" through {self.jump.where}" if self.jump else "")


def target_of(host: Host) -> Target:
    """Raises ConnectError when ssh's configuration or the jump hosts cannot be read."""
    try:
        return _resolve(host.login, hops=0)
    except (ConfigParseError, OSError) as error:
        raise ConnectError(host.name, f"ssh's configuration cannot be used: {error}") from error
    except ValueError as error:
        raise ConnectError(host.name, f"{error} ({host.place})") from error


def _resolve(login: Login, hops: int) -> Target:
    if hops > _MOST_HOPS:
        raise ValueError(f"more than {_MOST_HOPS} jump hosts; does one lead back to itself?")
    config = _Config(login)
    jumps, command = (login.proxy_jump, "") if login.proxy_jump else config.proxy()
    own_keys = config.files("IdentityFile")
    # A jump host's own keys come before those that the inventory names for the host behind it.
    explicit = bool(login.key_file) and not (hops and own_keys)
    return Target(
        address=config.text("Hostname") or login.address,
        port=login.port or config.number("Port") or DEFAULT_PORT,
        user=login.user or config.text("User") or getpass.getuser(),
        key_files=(login.key_file,) if explicit else own_keys or _absolute(_DEFAULT_KEYS),
        explicit_key=explicit,
        identities_only=config.flag("IdentitiesOnly"),
        agent=config.agent(),
        known_hosts=config.known_hosts(login.known_hosts),
        host_key_alias=config.text("HostKeyAlias"),
        netns=login.netns,
        jump=_jump(login, jumps, hops) if jumps and jumps != "none" else None,
        proxy_command=command,
        password=login.password,
        is_jump=hops > 0,
    )


def _jump(login: Login, jumps: str, hops: int) -> Target:
    """The last of the jump hosts, reached through those before it. They share the host's keys and known hosts."""
    *before, last = jumps.split(",")
    match = _HOP.fullmatch(last.strip())
    if match is None:
        raise ValueError(f"expected a jump host like user@bastion:22, not {last.strip()!r}")
    user, address, port = match.groups()
    hop = msgspec.structs.replace(
        login,
        address=address.strip("[]"),
        user=user or "",
        port=int(port or 0),
        # The host's own password is no business of those on the way.
        password=Secret(),
        # Without others before it, its own configuration may still name one.
        proxy_jump=",".join(before),
    )
    return _resolve(hop, hops + 1 + len(before))


class _Config:
    """What ssh's configuration files say of one host. Earlier files win, as with ssh."""

    def __init__(self, login: Login) -> None:
        if login.ssh_config:
            files = [login.ssh_config]
        else:
            found = (str(Path(_USER_CONFIG).expanduser()), SYSTEM_CONFIG)
            files = [file for file in found if os.access(file, os.R_OK)]
        user, port = login.user or (), login.port or ()
        self._read = SSHClientConfig.load(
            None, list(files), False, False, False, getpass.getuser(), user, login.address, port
        )

    def text(self, option: str) -> str:
        return str(self._read.get(option) or "")

    def number(self, option: str) -> int:
        return cast(int, self._read.get(option) or 0)

    def flag(self, option: str) -> bool:
        return bool(self._read.get(option))

    def proxy(self) -> tuple[str, str]:
        """Jump hosts or a proxy command: as with ssh, what is set first, be it `none`, and nothing of the other."""
        # The options stand in the order in which they were set; a test holds asyncssh to it.
        for option in self._read.get_options(reload=False):
            if option == "ProxyJump":
                return self.text(option), ""
            if option == "ProxyCommand":
                return "", self.text(option)
        return "", ""

    def files(self, option: str) -> tuple[str, ...]:
        return _absolute(cast(list[str], self._read.get(option) or []))

    def known_hosts(self, named: str) -> tuple[str, ...]:
        """`named` is the inventory's file for users' keys; the system's files count beside it.

        Never empty: a configuration without a file (`none`, /dev/null) means the usual ones here, since it is meant to
        turn the verification off.
        """
        user = self._files_that_keep("UserKnownHostsFile")
        system = self._files_that_keep("GlobalKnownHostsFile")
        users = (named,) if named else user or _absolute(_USER_KNOWN_HOSTS)
        return (*users, *(system or _SYSTEM_KNOWN_HOSTS))

    def _files_that_keep(self, option: str) -> tuple[str, ...]:
        return tuple(file for file in self.files(option) if file not in {"/dev/null", "none"})

    def agent(self) -> str:
        named = self._read.get("IdentityAgent", "SSH_AUTH_SOCK")
        if named is None:  # `none`
            return ""
        if not named:
            return os.environ.get("SSH_AUTH_SOCK", "")
        if named == "SSH_AUTH_SOCK" or str(named).startswith("$"):
            return os.environ.get(str(named).lstrip("$"), "")
        return str(Path(str(named)).expanduser())


def _absolute(files: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(str(Path(file).expanduser()) for file in files)
