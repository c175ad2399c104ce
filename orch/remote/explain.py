"""Why a connection could not be opened, in the words of this fleet: host, cause, remedy."""

from __future__ import annotations

import errno
import socket

import asyncssh
import msgspec

from orch.errors import AuthError, ConnectError, HostError, HostKeyError
from orch.inventory.hosts import Host
from orch.remote.known import Known, KnownHosts, Place, listed_name
from orch.remote.target import Target


class Story(msgspec.Struct):
    """What happened on the way in. `offered`: a host key that is not known; `accepted`: it, when it is to be trusted
    from now on; `notes`: what kept keys from being used."""

    offered: asyncssh.SSHKey | None = None
    accepted: asyncssh.SSHKey | None = None
    agent_keys: int = 0
    notes: list[str] = msgspec.field(default_factory=list)


def explain(host: Host, target: Target, hosts: KnownHosts, story: Story, error: Exception, timeout: float) -> HostError:
    """The error to be raised for `error`. `host` is who wants to get there; where `target` is a jump host, others do
    too, and it says nothing of this one."""
    where, place = target.where, _place(host, target)
    match error:
        case HostError():
            return error
        case asyncssh.HostKeyNotVerifiable():
            return HostKeyError(host.name, _host_key(target, hosts.known(host.name, target), hosts, story, error))
        case asyncssh.PermissionDenied():
            return AuthError(host.name, _refusal(host, target, story))
        case TimeoutError():
            return ConnectError(
                host.name,
                f"no answer from {where} within {timeout:g} s; is it up, and the address right?{place}",
            )
        case socket.gaierror():
            return ConnectError(
                host.name, f"the address {target.address!r} cannot be resolved; set ansible_host{place}"
            )
        case ConnectionRefusedError():
            return ConnectError(host.name, f"{where} refuses connections; is sshd running there, on that port?")
        case FileNotFoundError() if target.netns:
            return ConnectError(host.name, f"there is no network namespace {target.netns}; is the lab up?")
        case PermissionError() if target.netns:
            return ConnectError(host.name, f"entering the network namespace {target.netns} needs root; try sudo")
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return ConnectError(host.name, f"no way to {where}: {error.strerror}; is the host up?{place}")
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
            return AuthError(host.name, _no_more_tries(target, story, place))
        case asyncssh.Error():
            return ConnectError(host.name, f"the SSH connection to {where} failed: {error.reason or error}")
        case _:
            return ConnectError(host.name, f"cannot connect to {where}: {error}")


def _place(host: Host, target: Target) -> str:
    return "" if target.is_jump else f" ({host.place})"


def _host_key(
    target: Target, known: Known, hosts: KnownHosts, story: Story, error: asyncssh.HostKeyNotVerifiable
) -> str:
    key = story.offered
    if key is None:  # A revoked key, or a certificate that does not hold.
        return _untrusted(target, known, hosts, error)
    offered = f"{key.get_algorithm()} {key.get_fingerprint()}"
    if known.own:
        return _changed(target, known, hosts, offered)
    why = "is signed by no authority known for it" if known.authorities else "is not known"
    return (
        f"the host key of {target.where} {why}: {offered}. Compare it with `ssh-keygen -lf /etc/ssh/"
        f"ssh_host_{_file_name(key)}_key.pub` there; --accept-new trusts it and writes it to {target.known_hosts[0]}"
    )


def _changed(target: Target, known: Known, hosts: KnownHosts, offered: str) -> str:
    # What this very process has learned stands in the first file, at a line that it does not know.
    first, name = target.known_hosts[0], listed_name(target)
    places = {key: hosts.places(target, [key], "own") for key in known.own}
    knows = [f"{_listing(found) or first} knows {key.get_fingerprint()}" for key, found in places.items()]
    lines = [place for found in places.values() for place in found]
    files = dict.fromkeys(place.file for place in lines if place.by_name) if lines else [first]
    steps = [f"ssh-keygen -f {file} -R '{name}'" for file in files]
    if by_hand := [place for place in lines if not place.by_name]:
        steps.append(f"narrow what {_listing(by_hand)} says")
    return (
        f"its host key has changed: {target.where} offers {offered}, and {' and '.join(knows)}. Either it was set up "
        f"anew or somebody is in between. If it was set up anew: {', '.join(steps)}, then --accept-new"
    )


def _untrusted(target: Target, known: Known, hosts: KnownHosts, error: asyncssh.HostKeyNotVerifiable) -> str:
    is_revoked = "key is revoked" in error.reason
    if is_revoked:
        places = hosts.places(target, known.revoked, "revoked")
    else:
        places = hosts.places(target, known.authorities, "authority")
    what = "is revoked in" if is_revoked else "its authority stands in"
    remedy = "give the host a new one" if is_revoked else "have it signed anew"
    return (
        f"its host key cannot be trusted: {error.reason}; {what} {_listing(places) or target.known_hosts[0]}; {remedy}"
    )


def _listing(places: list[Place]) -> str:
    return " and ".join(str(place) for place in places)


def _file_name(key: asyncssh.SSHKey) -> str:
    """`ed25519` of ssh-ed25519, `ecdsa` of ecdsa-sha2-nistp256, `rsa` of ssh-rsa."""
    return key.get_algorithm().removeprefix("ssh-").partition("-")[0]


def _no_more_tries(target: Target, story: Story, place: str) -> str:
    said = f"{target.where} takes no more tries of {target.user} (MaxAuthTries in its sshd_config)"
    if not story.agent_keys:
        return f"{said}; name the right key with ansible_ssh_private_key_file or IdentityFile in ~/.ssh/config{place}"
    return (
        f"{said}, and your ssh agent has {story.agent_keys} keys; name the right one, and it goes first: its file, or "
        f"a copy of its public half, as ansible_ssh_private_key_file or as IdentityFile in ~/.ssh/config{place}"
    )


def _refusal(host: Host, target: Target, story: Story) -> str:
    offered = [target.key_files[0]] if target.explicit_key else ["your default keys"]
    if story.agent_keys:
        offered.append(f"{story.agent_keys} of your ssh agent")
    said = f"refused {target.user} at {target.where} with {' and '.join(offered)}"
    notes = "".join(f"; {note}" for note in story.notes)
    if target.is_jump:
        return f"{said}{notes}; check its user, and its IdentityFile in ~/.ssh/config"
    return f"{said}{notes}; check ansible_user and ansible_ssh_private_key_file for {host.name}{_place(host, target)}"
