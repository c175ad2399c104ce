"""Why a connection could not be opened, in the words of this fleet: host, cause, remedy."""

from __future__ import annotations

import errno
import socket

import asyncssh
import msgspec

from orch.errors import AuthError, ConnectError, HostError, HostKeyError
from orch.inventory.hosts import Host
from orch.remote.known import Known
from orch.remote.target import Target


class Story(msgspec.Struct):
    """What happened on the way in. `offered`: a host key that is not known; `accepted`: it, when it is to be trusted
    from now on; `notes`: what kept keys from being used."""

    offered: asyncssh.SSHKey | None = None
    accepted: asyncssh.SSHKey | None = None
    agent_keys: int = 0
    notes: list[str] = msgspec.field(default_factory=list)


def explain(host: Host, target: Target, known: Known, story: Story, error: Exception, timeout: float) -> HostError:
    """The error to be raised for `error`."""
    where = target.where
    match error:
        case HostError():
            return error
        case asyncssh.HostKeyNotVerifiable():
            return HostKeyError(host.name, _host_key(target, known, story, error))
        case asyncssh.PermissionDenied():
            return AuthError(host.name, _refusal(host, target, story))
        case TimeoutError():
            return ConnectError(
                host.name,
                f"no answer from {where} within {timeout:g} s; is it up, and the address right? ({host.place})",
            )
        case socket.gaierror():
            return ConnectError(
                host.name, f"the address {target.address!r} cannot be resolved; set ansible_host ({host.place})"
            )
        case ConnectionRefusedError():
            return ConnectError(host.name, f"{where} refuses connections; is sshd running there, on that port?")
        case FileNotFoundError() if target.netns:
            return ConnectError(host.name, f"there is no network namespace {target.netns}; is the lab up?")
        case PermissionError() if target.netns:
            return ConnectError(host.name, f"entering the network namespace {target.netns} needs root; try sudo")
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return ConnectError(host.name, f"no way to {where}: {error.strerror}; is the host up? ({host.place})")
        case asyncssh.ChannelOpenError():
            return ConnectError(
                host.name,
                f"the jump host {target.jump.where if target.jump else ''} cannot reach "
                f"{target.address}:{target.port}: {error.reason}",
            )
        case asyncssh.ConnectionLost() if target.proxy_command:
            return ConnectError(
                host.name, f"the ProxyCommand for {where} ended before anyone was let in; run it by hand to see why"
            )
        case asyncssh.ConnectionLost():
            return ConnectError(
                host.name, f"{where} closed the connection before anyone was let in; its sshd's log may say why"
            )
        case asyncssh.Error() if "Too many authentication failures" in str(error):
            return AuthError(
                host.name,
                f"{where} takes no more tries: your agent has more keys than it allows; name the right one with "
                "IdentityFile and IdentitiesOnly in ~/.ssh/config",
            )
        case asyncssh.Error():
            return ConnectError(host.name, f"the SSH connection to {where} failed: {error.reason or error}")
        case _:
            return ConnectError(host.name, f"cannot connect to {where}: {error}")


def _host_key(target: Target, known: Known, story: Story, error: asyncssh.HostKeyNotVerifiable) -> str:
    file, key = target.known_hosts[0], story.offered
    if key is None:  # A revoked key, or a certificate that does not hold.
        return f"its host key cannot be trusted: {error.reason}; what is known of it stands in {file}"
    offered = f"{key.get_algorithm()} {key.get_fingerprint()}"
    name = target.address if target.port == 22 else f"[{target.address}]:{target.port}"
    if known.fingerprints:
        return (
            f"its host key has changed: {target.where} offers {offered}, and {file} knows "
            f"{' and '.join(known.fingerprints)}. Either it was set up anew or somebody is in between. If it was set "
            f"up anew: ssh-keygen -f {file} -R '{name}', then --accept-new"
        )
    why = "is signed by no authority known for it" if known.authorities else "is not known"
    return (
        f"the host key of {target.where} {why}: {offered}. Compare it with `ssh-keygen -lf /etc/ssh/"
        f"ssh_host_{_file_name(key)}_key.pub` there; --accept-new trusts it and writes it to {file}"
    )


def _file_name(key: asyncssh.SSHKey) -> str:
    """`ed25519` of ssh-ed25519, `ecdsa` of ecdsa-sha2-nistp256, `rsa` of ssh-rsa."""
    return key.get_algorithm().removeprefix("ssh-").partition("-")[0]


def _refusal(host: Host, target: Target, story: Story) -> str:
    offered = [target.key_files[0]] if target.explicit_key else ["your default keys"]
    if story.agent_keys:
        offered.append(f"{story.agent_keys} of your ssh agent")
    said = f"refused {target.user} at {target.where} with {' and '.join(offered)}"
    notes = "".join(f"; {note}" for note in story.notes)
    return f"{said}{notes}; check ansible_user and ansible_ssh_private_key_file for {host.name} ({host.place})"
