"""Opening one verified connection, and saying plainly why one could not be opened."""

from __future__ import annotations

import asyncio
import errno
import socket

import asyncssh

from orch.errors import AuthError, ConnectError, HostError, HostKeyError
from orch.inventory.hosts import Host
from orch.remote.keys import KeyRing
from orch.remote.netns import socket_in

KEEPALIVE_SECONDS = 5
KEEPALIVE_MISSES = 3
"""A host that falls silent is given up after 15 to 20 seconds, as Swarm does."""


async def connect(host: Host, keys: KeyRing, timeout: float) -> asyncssh.SSHClientConnection:
    """A connection whose host key was verified, within `timeout` seconds.

    Raises ConnectError, AuthError or HostKeyError.
    """
    login = host.login
    client_keys = [keys.private(host.name, login.key_file)] if login.key_file else ()
    known_hosts = keys.known(host.name, login.known_hosts)
    made: socket.socket | None = None
    try:
        async with asyncio.timeout(timeout):
            made = await _connected_socket(host) if login.netns else None
            return await asyncssh.connect(
                login.address,
                login.port or 22,
                sock=made,
                # The inventory alone says how a host is reached; half of what ssh's own file says would mislead.
                config=None,
                username=login.user or (),
                client_keys=client_keys,
                known_hosts=known_hosts,
                # 1.7 to 1.9 times cheaper than chacha20, asyncssh's first choice; `^` keeps all others behind it.
                encryption_algs="^aes128-gcm@openssh.com",
                compression_algs="^none",
                keepalive_interval=KEEPALIVE_SECONDS,
                keepalive_count_max=KEEPALIVE_MISSES,
            )
    except (OSError, asyncssh.Error, TimeoutError) as error:
        if made is not None:
            made.close()
        raise explain(host, error, timeout) from error


async def _connected_socket(host: Host) -> socket.socket:
    loop = asyncio.get_running_loop()
    login = host.login
    found = await loop.getaddrinfo(login.address, login.port or 22, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    made = socket_in(login.netns, family)
    try:
        await loop.sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def explain(host: Host, error: Exception, timeout: float) -> HostError:
    """The error in the words of this fleet: host, cause, remedy."""
    login, name = host.login, host.name
    where = f"{login.address}:{login.port or 22}"
    match error:
        case asyncssh.HostKeyNotVerifiable():
            listed = login.known_hosts or "~/.ssh/known_hosts"
            return HostKeyError(
                name,
                f"its host key is not the one known for {where}, or none is known ({error.reason}); "
                f"compare it with the host's own, then put it into {listed}",
            )
        case asyncssh.PermissionDenied():
            user = login.user or "your own user name"
            key = login.key_file or "your ssh agent's and default keys"
            return AuthError(
                name,
                f"refused {user} with {key}; check ansible_user and ansible_ssh_private_key_file "
                f"for {name} ({host.place})",
            )
        case TimeoutError():
            return ConnectError(
                name,
                f"no answer from {where} within {timeout:g} s; is it up, and the address right? ({host.place})",
            )
        case socket.gaierror():
            return ConnectError(
                name, f"the address {login.address!r} cannot be resolved; set ansible_host ({host.place})"
            )
        case ConnectionRefusedError():
            return ConnectError(name, f"{where} refuses connections; is sshd running there, on that port?")
        case FileNotFoundError() if login.netns:
            return ConnectError(name, f"there is no network namespace {login.netns}; is the lab up?")
        case PermissionError() if login.netns:
            return ConnectError(name, f"entering the network namespace {login.netns} needs root; try sudo")
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return ConnectError(name, f"no way to {where}: {error.strerror}; is the host up? ({host.place})")
        case asyncssh.Error():
            return ConnectError(name, f"the SSH connection to {where} failed: {error.reason or error}")
        case _:
            return ConnectError(name, f"cannot connect to {where}: {error}")
