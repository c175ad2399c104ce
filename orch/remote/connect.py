"""Opening one verified connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import asyncssh
import msgspec

from orch.errors import HostError
from orch.inventory.hosts import Host
from orch.model.secret import Secret
from orch.remote.ask import Answers
from orch.remote.dial import Dialer
from orch.remote.explain import Story, explain
from orch.remote.gate import Open, Way, by_command, by_jump, by_socket
from orch.remote.keys import KeyPair, KeyRing
from orch.remote.known import Known, KnownHosts
from orch.remote.target import Target
from orch.remote.turn import Clock, Turn

T = TypeVar("T")

KEEPALIVE_SECONDS = 5
KEEPALIVE_MISSES = 3
"""A host that falls silent is given up after 15 to 20 seconds, as Swarm does."""

CIPHERS = "^aes128-gcm@openssh.com"
"""1.7 to 1.9 times cheaper than chacha20, asyncssh's first choice; `^` keeps all others behind it."""

_WRONG = "the password is wrong"
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
    known = access.known.known(host.name, target)
    keys = access.keys.open_keys(host.name, target.key_files, must_exist=target.explicit_key)
    story = Story()
    try:
        async with dialer.turn() as turn, asyncio.timeout(timeout) as limit:
            clock = Clock(limit, timeout)
            visitor = _Visitor(host, target, access, known, story, turn, clock)
            connection = await asyncssh.connect(
                target.address,
                target.port,
                client_factory=lambda: visitor,
                client_keys=keys or None,
                known_hosts=known.trusted,
                server_host_key_algs=known.algorithms,
                **_options(target, Way(_way(target, dialer, tunnel), turn, clock)),
            )
    except (OSError, asyncssh.Error, TimeoutError, ValueError, HostError) as error:
        raise explain(host, target, access.known, story, error, timeout) from error
    if story.accepted is not None:
        # Not before: only now has the host shown that the key is its own.
        try:
            access.known.add(host.name, target, story.accepted)
        except HostError:
            connection.abort()
            raise
    return connection


def _way(target: Target, dialer: Dialer, tunnel: asyncssh.SSHClientConnection | None) -> Open:
    if tunnel is not None:
        return by_jump(tunnel, target)
    return by_command(target.proxy_command) if target.proxy_command else by_socket(dialer, target)


def _options(target: Target, way: Way) -> dict[str, Any]:
    """What asyncssh is told besides whom to trust and with which keys to come."""
    return {
        "tunnel": way,
        # Read already, by target.py, which also says what of it is not followed.
        "config": None,
        "username": target.user,
        # Its keys are offered by the visitor, after those of files.
        "agent_path": None,
        "host_key_alias": target.host_key_alias or None,
        "encryption_algs": CIPHERS,
        "kex_algs": KEY_EXCHANGES,
        "compression_algs": "^none",
        # Ours stands still while a person types; asyncssh's would not.
        "login_timeout": 0,
        "keepalive_interval": KEEPALIVE_SECONDS,
        "keepalive_count_max": KEEPALIVE_MISSES,
    }


class _Visitor(asyncssh.SSHClient):
    """Answers what the server asks on the way in, and notes what explains a refusal."""

    def __init__(
        self, host: Host, target: Target, access: Access, known: Known, story: Story, turn: Turn, clock: Clock
    ) -> None:
        self._host, self._target, self._access, self._known = host, target, access, known
        self._story, self._turn, self._clock = story, turn, clock
        self._later: list[Callable[[], Awaitable[list[KeyPair] | list[asyncssh.SSHKeyPair]]]] = []
        if target.agent:
            self._later.append(self._agent_keys)
        for file in access.keys.locked(target.key_files):
            self._later.append(partial(self._unlocked, file))
        self._given: Secret | None = None
        self._interactive = False

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called for a key that is not among those known for this host."""
        self._story.offered = key
        # Another connection may have written one down meanwhile.
        own = self._access.known.known(self._host.name, self._target).own
        if not self._access.accept_new or (own and key not in own):
            return False
        self._story.accepted = key
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
            async with asyncio.timeout(self._clock.seconds / 2):
                found = await self._access.keys.agent_keys(
                    self._target.agent, self._target.key_files, only_named=self._target.identities_only
                )
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
        """Called again when the one before was wrong."""
        if self._given is not None:
            self._was_wrong(self._given)
            return None
        self._given = self._target.password or await self._asked(self._access.answers.get(self._question)) or Secret()
        return self._given.reveal() or None

    @property
    def _question(self) -> str:
        """The same for all hosts of the fleet, and another for each host on the way to them."""
        at = f" at {self._target.where}" if self._target.is_jump else ""
        return f"Password of {self._target.user}{at}"

    def _was_wrong(self, given: Secret) -> None:
        self._access.answers.forget(self._question, given)
        if given and _WRONG not in self._story.notes:
            self._story.notes.append(_WRONG)

    def kbdint_auth_requested(self) -> str | None:
        """Any method, once: a server without passwords may ask for one all the same."""
        if self._given is not None:
            self._was_wrong(self._given)
        asked, self._interactive = self._interactive, True
        return None if asked or self._given is not None else ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """One question that is not to be echoed is for the password; others are for people."""
        if not prompts:
            return []
        if len(prompts) > 1 or prompts[0][1]:
            return None
        password = await self.password_auth_requested()
        return None if password is None else [password]

    async def _asked(self, answer: Awaitable[T]) -> T:
        """A person's time is not the host's, nor that of those who wait for a place."""
        self._turn.give_up()
        async with self._clock.stopped():
            found = await answer
            await self._turn.take()
        return found
