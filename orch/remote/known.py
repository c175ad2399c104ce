"""Known hosts: whose key is whose, read once; and trust on first use, where the user asked for it."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import asyncssh
import msgspec

from orch.errors import HostKeyError
from orch.remote.target import Target

_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
}
"""Type of key → signatures with it, the cheapest type first."""


class Known(msgspec.Struct, frozen=True):
    """What is known of one host: the types and fingerprints of its own keys, and whether an authority's is."""

    types: tuple[str, ...]
    fingerprints: tuple[str, ...]
    authority: bool

    @property
    def algorithms(self) -> list[str]:
        """What to ask of the host: types known of it first, then all others, so that it shows a key also when it has
        none of those any more. With an authority, certificates before all."""
        ordered = sorted(_ALGORITHMS, key=lambda kind: kind not in self.types)
        plain = [name for kind in ordered for name in _ALGORITHMS[kind]]
        certified = [f"{name}-cert-v01@openssh.com" for name in plain] if self.authority else []
        return certified + plain


class KnownHosts:
    """Files are parsed when the first host needs them; a path given to asyncssh would be read for each connection."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, ...], asyncssh.SSHKnownHosts] = {}

    def read(self, host: str, files: tuple[str, ...]) -> asyncssh.SSHKnownHosts:
        """An absent file knows nobody. Raises HostKeyError, for `host`, when one cannot be used."""
        if files not in self._parsed:
            entries = asyncssh.import_known_hosts("")
            for file in files:
                try:
                    entries.load(Path(file).read_text(encoding="utf-8", errors="replace"))
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise HostKeyError(host, f"{file} cannot be read: {error.strerror}") from error
                except ValueError as error:
                    raise HostKeyError(host, f"{file} is not a known_hosts file: {error}") from error
            self._parsed[files] = entries
        return self._parsed[files]

    def known(self, host: str, target: Target) -> Known:
        entries = self.read(host, target.known_hosts)
        port = target.port if target.port != 22 else None
        keys, authorities, *_ = entries.match(target.host_key_alias or target.address, "", port)
        types = tuple(key.get_algorithm() for key in keys)
        return Known(types, tuple(key.get_fingerprint() for key in keys), bool(authorities))

    def add(self, host: str, target: Target, key: asyncssh.SSHKey) -> None:
        """Trust `key` from now on: for the other connections of this process, and in the first file for later ones.

        Raises HostKeyError when the file cannot be written.
        """
        file = Path(target.known_hosts[0])
        name = target.host_key_alias or target.address
        name = name if target.port == 22 else f"[{name}]:{target.port}"
        public = " ".join(key.export_public_key().decode().split()[:2])
        try:
            _append(file, name, public)
        except OSError as error:
            raise HostKeyError(host, f"its key cannot be written to {file}: {error.strerror}") from error
        self.read(host, target.known_hosts).load(f"{name} {public}")


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
