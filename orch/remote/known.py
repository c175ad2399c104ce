"""Known hosts: whose key is whose, read once; and trust on first use, where the user asked for it."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import asyncssh
import msgspec

from orch.errors import HostKeyError
from orch.remote.target import DEFAULT_PORT, Target

_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
}
"""Type of key → signatures with it, the cheapest type first."""


Role = Literal["own", "authority", "revoked"]
_ROLES: tuple[Role, ...] = ("own", "authority", "revoked")
"""In the order in which asyncssh tells what it found."""


class Known(msgspec.Struct, frozen=True):
    """What is known of one host. `own`: keys under its very name and port; `accepted`: those that let it in, which for
    a port of its own may be those under the name alone."""

    own: tuple[asyncssh.SSHKey, ...]
    accepted: tuple[asyncssh.SSHKey, ...]
    authorities: tuple[asyncssh.SSHKey, ...]
    revoked: tuple[asyncssh.SSHKey, ...]

    @property
    def types(self) -> set[str]:
        return {key.get_algorithm() for key in self.accepted}

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(key.get_fingerprint() for key in self.own)

    @property
    def trusted(self) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """For asyncssh, which would look a parsed file up by the address too: whoever is known by an address could
        then stand in for any name that leads there."""
        return list(self.accepted), list(self.authorities), list(self.revoked)

    @property
    def algorithms(self) -> list[str]:
        """What to ask of the host: types known of it first, then all others, so that it shows a key also when it has
        none of those any more. With an authority, certificates before all."""
        ordered = sorted(_ALGORITHMS, key=lambda kind: kind not in self.types)
        plain = [name for kind in ordered for name in _ALGORITHMS[kind]]
        certified = [f"{name}-cert-v01@openssh.com" for name in plain] if self.authorities else []
        return certified + plain


class Place(msgspec.Struct, frozen=True):
    """A line, counted from 1, that says something of a host. `by_name`: by the very name under which the host is
    looked up, so that `ssh-keygen -R` finds it, and not by a pattern."""

    file: str
    line: int
    by_name: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class KnownHosts:
    """Files are parsed when the first host needs them; a path given to asyncssh would be read for each connection."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, ...], asyncssh.SSHKnownHosts] = {}
        self._lines: dict[str, list[str]] = {}

    def read(self, host: str, files: tuple[str, ...]) -> asyncssh.SSHKnownHosts:
        """An absent file knows nobody. Raises HostKeyError, for `host`, when one cannot be used."""
        if files not in self._parsed:
            entries = asyncssh.import_known_hosts("")
            for file in files:
                try:
                    self._lines[file] = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise HostKeyError(host, f"{file} cannot be read: {error.strerror}") from error
                for line in self._lines[file]:
                    _load(entries, line)
            self._parsed[files] = entries
        return self._parsed[files]

    def known(self, host: str, target: Target) -> Known:
        """As ssh looks it up: by the name that was asked for and never by its address. Raises HostKeyError."""
        entries = self.read(host, target.known_hosts)
        own, authorities, revoked, *_ = entries.match(listed_name(target), "", None)
        accepted = own
        if target.port != DEFAULT_PORT:
            plain, more_authorities, more_revoked, *_ = entries.match(_name(target), "", None)
            accepted = own or plain
            authorities, revoked = authorities or more_authorities, [*revoked, *more_revoked]
        return Known(tuple(own), tuple(accepted), tuple(authorities), tuple(revoked))

    def places(self, target: Target, keys: Iterable[asyncssh.SSHKey], role: Role) -> list[Place]:
        """Where any of `keys` stands for this host, as the files were when they were read; what is its `own` stands
        under its very name and port alone."""
        listed = listed_name(target)
        names, texts = {listed} if role == "own" else {listed, _name(target)}, {public_text(key) for key in keys}
        found = []
        for file in target.known_hosts:
            for number, line in enumerate(self._lines.get(file, ()), 1):
                # To compare text is a thousand times cheaper than to parse each line.
                if texts.intersection(line.split()) and _has_role(line, role, names):
                    found.append(Place(file, number, _is_by_name(line, listed)))
        return found

    def add(self, host: str, target: Target, key: asyncssh.SSHKey) -> None:
        """Trust `key` from now on: for the other connections of this process, and in the first file for later ones.

        Raises HostKeyError when the file cannot be written, or another connection was faster with another key.
        """
        if own := self.known(host, target).own:
            if key in own:
                return
            raise HostKeyError(
                host,
                f"{listed_name(target)} has just shown another key on another way to it; if these are two machines, "
                "give each a HostKeyAlias in ~/.ssh/config",
            )
        file, name = Path(target.known_hosts[0]), listed_name(target)
        public = f"{key.get_algorithm()} {public_text(key)}"
        try:
            _append(file, name, public)
        except OSError as error:
            raise HostKeyError(host, f"its key cannot be written to {file}: {error.strerror}") from error
        self.read(host, target.known_hosts).load(f"{name} {public}")


def _has_role(line: str, role: Role, names: set[str]) -> bool:
    alone = asyncssh.import_known_hosts("")
    _load(alone, line)
    return any(alone.match(name, "", None)[_ROLES.index(role)] for name in names)


def _is_by_name(line: str, listed: str) -> bool:
    names = line.split(None, 1)[0]
    return names.startswith("|") or listed in names.lower().split(",")


def _name(target: Target) -> str:
    return (target.host_key_alias or target.address).lower()


def listed_name(target: Target) -> str:
    """The name as known_hosts lists it."""
    return _name(target) if target.port == DEFAULT_PORT else f"[{_name(target)}]:{target.port}"


def public_text(key: asyncssh.SSHKey) -> str:
    """As files have it, in base64."""
    return base64.b64encode(key.public_data).decode()


def _load(entries: asyncssh.SSHKnownHosts, line: str) -> None:
    """ssh passes over lines that it cannot read, and names have no case."""
    words = line.split(None, 2)
    place = 1 if words and words[0].startswith("@") else 0
    if len(words) > place and not words[place].startswith("|"):
        words[place] = words[place].lower()
    with suppress(ValueError):
        entries.load(" ".join(words))


def _append(file: Path, name: str, public: str) -> None:
    """One line at the end, under a lock, made durable; hashed where the file's own entries are."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        before = opened.read()
        shown = _hashed(name) if before.startswith(b"|1|") else name
        gap = "" if not before or before.endswith(b"\n") else "\n"
        opened.write(f"{gap}{shown} {public}\n".encode())
        opened.flush()
        os.fsync(opened.fileno())


def _hashed(name: str) -> str:
    """As `HashKnownHosts yes` writes it."""
    salt = secrets.token_bytes(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
