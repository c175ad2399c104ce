"""Keys to log in with: files read once for the whole fleet, the agent's, and those that have a passphrase."""

from __future__ import annotations

from pathlib import Path

import asyncssh

from orch.errors import AuthError
from orch.remote.ask import Answers

KeyPair = asyncssh.SSHKey | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]
_TRIES = 3


class KeyRing:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._opened: dict[str, list[KeyPair] | None] = {}
        self._agents: dict[str, asyncssh.SSHAgentClient] = {}

    def open_keys(self, host: str, files: tuple[str, ...], *, must_exist: bool) -> list[KeyPair]:
        """What can be used without a passphrase. Raises AuthError, for `host`, when a key cannot be used at all."""
        return [pair for file in files for pair in self._open(host, file, must_exist) or []]

    def locked(self, files: tuple[str, ...]) -> list[str]:
        """Of files that `open_keys` has seen, those that need a passphrase."""
        return [file for file in files if file in self._opened and self._opened[file] is None]

    def _open(self, host: str, file: str, must_exist: bool) -> list[KeyPair] | None:
        """None when it has a passphrase."""
        if file not in self._opened:
            try:
                self._opened[file] = _with_certificate(file, asyncssh.read_private_key(file))
            except OSError as error:
                if not must_exist or (isinstance(error, FileNotFoundError) and _public(f"{file}.pub")):
                    return []
                raise AuthError(host, f"the key file {file} cannot be read: {error.strerror}") from error
            except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError) as error:
                if "passphrase" not in str(error).lower():
                    if not must_exist or _public(file):
                        return []
                    raise AuthError(host, f"{file} is not a private key that can be read: {error}") from error
                self._opened[file] = None
        return self._opened[file]

    async def unlock(self, host: str, file: str) -> list[KeyPair]:
        """Ask for the passphrase. Empty when nobody answers. Raises AuthError when it is wrong three times."""
        question = f"Passphrase of {file}"
        for _ in range(_TRIES):
            passphrase = await self._answers.get(question)
            if (opened := self._opened.get(file)) is not None:  # Another host's task was faster.
                return opened
            if not passphrase:
                return []
            try:
                key = asyncssh.read_private_key(file, passphrase.reveal())
            except (OSError, asyncssh.KeyEncryptionError, asyncssh.KeyImportError):
                self._answers.forget(question, passphrase)
                continue
            self._opened[file] = pairs = _with_certificate(file, key)
            return pairs
        raise AuthError(host, f"the passphrase of {file} was wrong {_TRIES} times")

    async def agent_keys(self, socket: str, files: tuple[str, ...], *, only_named: bool) -> list[asyncssh.SSHKeyPair]:
        """Those that the agent at this socket holds and that `open_keys` did not give, since a server takes so many
        tries and no more; first, or with `only_named` alone, those whose public halves stand in or beside `files`.

        Raises OSError or ValueError when it does not answer.
        """
        if socket not in self._agents:
            self._agents[socket] = asyncssh.SSHAgentClient(socket)
        found = await self._agents[socket].get_keys()
        named = [public for file in files for public in _public(f"{file}.pub") + _public(file)]
        tried = {
            pair.public_data
            for file in files
            for pair in self._opened.get(file) or []
            if isinstance(pair, asyncssh.SSHKey)
        }
        wanted = [pair for pair in found if pair.public_data not in tried]
        if only_named:
            wanted = [pair for pair in wanted if pair.public_data in named]
        places = {public: place for place, public in reversed(list(enumerate(named)))}
        return sorted(wanted, key=lambda pair: places.get(pair.public_data, len(named)))

    async def close(self) -> None:
        for agent in self._agents.values():
            agent.close()
            await agent.wait_closed()


def _public(file: str) -> list[bytes]:
    """The public key in a file, if that is what it holds: the private half is in an agent or on a token."""
    try:
        return [asyncssh.read_public_key(file).public_data]
    except (OSError, asyncssh.KeyImportError):
        return []


def _with_certificate(file: str, key: asyncssh.SSHKey) -> list[KeyPair]:
    """As ssh does, a certificate beside the key, FILE-cert.pub, goes first."""
    beside = Path(f"{file}-cert.pub")
    if not beside.exists():
        return [key]
    try:
        return [(key, asyncssh.read_certificate(str(beside))), key]
    except (OSError, asyncssh.KeyImportError):
        return [key]
