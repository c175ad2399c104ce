"""Private keys and known hosts, each file read and parsed once for the whole fleet."""

from __future__ import annotations

from pathlib import Path

import asyncssh

from orch.errors import AuthError, HostKeyError


class KeyRing:
    """Files are read when the first host needs them; asyncssh would read them again for each connection."""

    def __init__(self) -> None:
        self._private: dict[str, asyncssh.SSHKey] = {}
        self._known: dict[str, asyncssh.SSHKnownHosts] = {}

    def private(self, host: str, path: str) -> asyncssh.SSHKey:
        """Raises AuthError, for `host`, when the key cannot be used."""
        if path not in self._private:
            try:
                self._private[path] = asyncssh.read_private_key(path)
            except OSError as error:
                raise AuthError(host, f"the key file {path} cannot be read: {error.strerror}") from error
            except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError) as error:
                if "passphrase" in str(error).lower():
                    why = f"{path} has a passphrase; add it to an ssh-agent and leave ansible_ssh_private_key_file out"
                    raise AuthError(host, why) from error
                raise AuthError(host, f"{path} is not a private key that can be read: {error}") from error
        return self._private[path]

    def known(self, host: str, path: str) -> asyncssh.SSHKnownHosts:
        """An absent file knows nobody. Raises HostKeyError, for `host`, when it cannot be used."""
        path = path or str(Path("~/.ssh/known_hosts").expanduser())
        if path not in self._known:
            try:
                self._known[path] = asyncssh.read_known_hosts(path)
            except FileNotFoundError:
                self._known[path] = asyncssh.import_known_hosts("")
            except OSError as error:
                raise HostKeyError(host, f"{path} cannot be read: {error.strerror}") from error
            except ValueError as error:
                raise HostKeyError(host, f"{path} is not a known_hosts file: {error}") from error
        return self._known[path]
