"""Examining hosts: the check program's text, the pure reading of what it prints, and asking a fleet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec

from orch.errors import AuthError, BecomeError, CommandError, HostError, HostKeyError
from orch.inventory.hosts import Host
from orch.model.checkup import Checkup, Disk, Examination, PodmanInfo, Unexamined
from orch.model.instant import Instant
from orch.observe.clock import skew_of
from orch.observe.figures import memory, memory_used, whole
from orch.observe.texts import script
from orch.remote.link import Link, succeeded
from orch.remote.pool import Pool

PROGRAMS = ("bridge", "conntrack", "crun", "flock", "ip", "ipset", "iptables", "nft", "runc", "sudo")

INFO_SECONDS = 15
EXAMINATION_SECONDS = 3 * INFO_SECONDS + 30
"""The program asks podman three times at most, and other things that may hang."""

_INFO = "podman_info {{.Store.GraphDriverName}} {{.Host.NetworkBackend}} {{.Host.OCIRuntime.Name}}"
_LISTS = ("found", "controller")


def doctor_script() -> str:
    """Shell text that prints what `parse_checkup` reads."""
    settings = {"info_format": _INFO, "info_seconds": str(INFO_SECONDS), "programs": " ".join(PROGRAMS)}
    return script(settings, "figures.sh", "doctor.sh")


def parse_checkup(text: str, sent: Instant, received: Instant) -> Checkup:
    """`sent`, `received`: the master's clock when the script went out and when its answer was there.

    Raises ValueError when it is not the whole answer of the check program.
    """
    facts: dict[str, str] = {}
    lists: dict[str, set[str]] = {name: set() for name in _LISTS}
    for line in text.split("\n"):
        key, _, value = line.partition(" ")
        if key in lists:
            lists[key].add(value)
        else:
            facts[key] = value.strip()
    if "examined" not in facts:
        raise ValueError(f"its shell did not run the examination to its end; it said: {text.strip()[-200:]!r}")
    try:
        return _checkup(facts, lists, sent, received)
    except KeyError as error:
        raise ValueError(f"the examination has no {error.args[0]}") from None
    except IndexError as error:
        raise ValueError(f"the examination cannot be read: {error}") from None


def _checkup(facts: Mapping[str, str], lists: Mapping[str, set[str]], sent: Instant, received: Instant) -> Checkup:
    uid, _, user = facts["user"].partition(" ")
    skew = skew_of(facts, sent, received)
    return Checkup(
        user=user,
        uid=whole(uid),
        sudo_error=facts.get("sudo_error", ""),
        os=tuple(facts.get("os", "").split()),
        system=facts.get("system", ""),
        ostree="ostree" in facts,
        systemd="systemd" in facts,
        hostname=facts.get("hostname", ""),
        machine_id=facts.get("machine_id", ""),
        boot_id=facts.get("boot_id", ""),
        programs=frozenset(lists["found"]),
        controllers=frozenset(lists["controller"]),
        podman=facts.get("podman"),
        podman_info=_info(facts["podman_info"]) if "podman_info" in facts else None,
        podman_error=facts.get("podman_error", ""),
        disk=_disk(facts["disk"]) if "disk" in facts else None,
        memory=memory(facts),
        memory_used=memory_used(facts),
        ip_forward=facts["ip_forward"] != "0" if "ip_forward" in facts else None,
        clock_skew=skew.seconds,
        clock_error=skew.error,
        time_service=facts.get("time_service", ""),
        max_sessions=whole(facts["max_sessions"]) if "max_sessions" in facts else None,
        selinux="selinux" in facts,
        firewalld="firewalld" in facts,
    )


def _info(text: str) -> PodmanInfo:
    driver, backend, runtime = text.split()
    return PodmanInfo(driver, backend, runtime)


def _disk(text: str) -> Disk:
    size, free = text.split()
    return Disk(whole(size, 1024), whole(free, 1024))


async def examine_fleet(
    pool: Pool, unprivileged: Pool, hosts: Sequence[Host], *, timeout: float
) -> dict[str, Examination]:
    """Every host's examination, by name, in the order of `hosts`; none waits for another.

    `unprivileged` is for hosts on which the user who logs in does not become another. `timeout`: seconds that a host
    may take to give us a shell.
    """
    found = await asyncio.gather(*(_examine(pool, unprivileged, host, timeout) for host in hosts))
    return {host.name: examination for host, examination in zip(hosts, found, strict=True)}


async def _examine(pool: Pool, unprivileged: Pool, host: Host, timeout: float) -> Examination:
    try:
        # By itself, so that a shell that cannot be had is told from one that does not come to an end.
        succeeded(host.name, "its shell fails", await pool.link(host).run_script(":", timeout=timeout))
    except BecomeError as error:
        return await _examine_without_root(unprivileged, host, error)
    except CommandError as error:
        return Unexamined("shell", error.reason)
    except HostKeyError as error:
        return Unexamined("host key", error.reason)
    except AuthError as error:
        return Unexamined("login", error.reason)
    except HostError as error:
        return Unexamined("reachable", error.reason)
    try:
        return await _ask(pool.link(host))
    except HostError as error:
        return Unexamined("shell", error.reason)


async def _examine_without_root(pool: Pool, host: Host, refused: BecomeError) -> Unexamined:
    """`refused`: why there was no shell as `become_user`."""
    plain = msgspec.structs.replace(host, login=msgspec.structs.replace(host.login, become_user=""))
    try:
        return Unexamined("root", refused.reason, await _ask(pool.link(plain)))
    except HostError as error:
        return Unexamined("shell", error.reason)


async def _ask(link: Link) -> Checkup:
    """Raises HostError."""
    name = link.host.name
    result = await link.run_script(doctor_script(), timeout=EXAMINATION_SECONDS)
    received = time.time()
    try:
        return parse_checkup(result.text, received - result.seconds, received)
    except ValueError as error:
        raise CommandError(name, str(error)) from error
