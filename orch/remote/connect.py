"""Opening one verified connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import asyncssh
import msgspec

from orch.errors import HostError
from orch.inventory.hosts import Host
from orch.remote.ask import Answers
from orch.remote.dial import Dialer
from orch.remote.explain import Story, explain
from orch.remote.keys import KeyPair, KeyRing
from orch.remote.known import KnownHosts
from orch.remote.target import Target

T = TypeVar("T")

KEEPALIVE_SECONDS = 5
KEEPALIVE_MISSES = 3
"""A host that falls silent is given up after 15 to 20 seconds, as Swarm does."""

CIPHERS = "^aes128-gcm@openssh.com"
"""1.7 to 1.9 times cheaper than chacha20, asyncssh's first choice; `^` keeps all others behind it."""

KEY_EXCHANGES = "^curve25519-sha256"


class Access(msgspec.Struct, frozen=True):
    """What every connection of a fleet shares. `accept_new`: the key of a host of which nothing is known is trusted,
    and written down."""

    answers: Answers
    keys: KeyRing
    known: KnownHosts
    accept_new: bool


async def connect(
    host: Host,
    target: Target,
    access: Access,
    dialer: Dialer,
    timeout: float,
    tunnel: asyncssh.SSHClientConnection | None = None,
) -> asyncssh.SSHClientConnection:
    """A connection whose host key was verified, within `timeout` seconds and the time a person takes to answer.

    `tunnel`: the connection of the last jump host. Raises ConnectError, AuthError or HostKeyError.
    """
    known_hosts = access.known.read(host.name, target.known_hosts)
    keys = access.keys.open_keys(host.name, target.key_files, must_exist=target.explicit_key)
    story = Story()
    made: socket.socket | None = None
    try:
        async with dialer.turn() as turn, asyncio.timeout(timeout) as limit:
            visitor = _Visitor(host, target, access, story, limit, timeout)
            direct = tunnel is None and not target.proxy_command
            made = await dialer.dial(target, turn) if direct else None
            return await asyncssh.connect(
                target.address,
                target.port,
                sock=made,
                tunnel=tunnel,
                proxy_command=target.proxy_command or None,
                client_factory=lambda: visitor,
                # Read already, by target.py, which also says what of it is not followed.
                config=None,
                username=target.user,
                client_keys=keys or None,
                # Its keys are offered by the visitor, after those of files.
                agent_path=None,
                known_hosts=known_hosts,
                server_host_key_algs=access.known.known(host.name, target).algorithms,
                host_key_alias=target.host_key_alias or None,
                encryption_algs=CIPHERS,
                kex_algs=KEY_EXCHANGES,
                compression_algs="^none",
                keepalive_interval=KEEPALIVE_SECONDS,
                keepalive_count_max=KEEPALIVE_MISSES,
            )
    except (OSError, asyncssh.Error, TimeoutError, ValueError, HostError) as error:
        if made is not None:
            made.close()
        raise explain(host, target, access.known.known(host.name, target), story, error, timeout) from error


class _Visitor(asyncssh.SSHClient):
    """Answers what the server asks on the way in, and notes what explains a refusal."""

    def __init__(
        self, host: Host, target: Target, access: Access, story: Story, limit: asyncio.Timeout, seconds: float
    ) -> None:
        self._host, self._target, self._access, self._story = host, target, access, story
        self._limit, self._seconds = limit, seconds
        self._later: list[Callable[[], Awaitable[list[KeyPair] | list[asyncssh.SSHKeyPair]]]] = []
        if target.agent and not target.identities_only:
            self._later.append(self._agent_keys)
        for file in access.keys.locked(target.key_files):
            self._later.append(partial(self._unlocked, file))
        self._password_given = False

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called for a key that is not among those known for this host."""
        self._story.offered = key
        known = self._access.known.known(self._host.name, self._target)
        if known.fingerprints or not self._access.accept_new:
            return False
        self._access.known.add(self._host.name, self._target, key)
        return True

    def auth_banner_received(self, msg: str, lang: str) -> None:
        """Not shown: it is the same text from every host."""

    async def public_key_auth_requested(self) -> list[KeyPair] | list[asyncssh.SSHKeyPair] | None:
        """Called when all keys before were refused."""
        while self._later:
            if found := await self._later.pop(0)():
                return found
        return None

    async def _agent_keys(self) -> list[asyncssh.SSHKeyPair]:
        try:
            # A hanging agent must leave time for what comes after it.
            async with asyncio.timeout(self._seconds / 2):
                found = await self._access.keys.agent_keys(self._target.agent)
        except (OSError, ValueError) as error:
            why = "" if isinstance(error, TimeoutError) else f" ({error})"
            self._story.notes.append(f"the ssh agent at {self._target.agent} does not answer{why}")
            return []
        self._story.agent_keys = len(found)
        return found

    async def _unlocked(self, file: str) -> list[KeyPair]:
        found = await self._asked(self._access.keys.unlock(self._host.name, file))
        if not found:
            self._story.notes.append(f"{file} has a passphrase; add it to an ssh-agent, or run orch on a terminal")
        return found

    async def password_auth_requested(self) -> str | None:
        if self._password_given:
            self._story.notes.append("the password is wrong")
            return None
        self._password_given = True
        password = self._host.login.password
        if not password:
            question = f"Password of {self._target.user}"
            given = await self._asked(self._access.answers.get(question))
            password = given or password
        return password.reveal() or None

    async def _asked(self, answer: Awaitable[T]) -> T:
        """A person's time is not the host's."""
        self._limit.reschedule(None)
        try:
            return await answer
        finally:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._seconds)
