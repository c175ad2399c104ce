"""Hosts that cannot be told from each other: clones of one disk, or one machine under two names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orch.controllers.finding import Finding
from orch.model.checkup import Checkup


def twins(examined: Mapping[str, Checkup]) -> Iterator[Finding]:
    """The first of several that are alike is left in peace; of one machine under two names, nothing else is said."""
    machines: dict[tuple[str, str, str], str] = {}
    ids: dict[str, str] = {}
    names: dict[str, str] = {}
    for host, seen in examined.items():
        # A kernel is shared by containers, and a machine id by clones; together with the name they are one machine.
        machine = (seen.boot_id, seen.machine_id, seen.hostname)
        if all(machine) and machine in machines:
            yield _same(host, machines[machine])
            continue
        machines.setdefault(machine, host)
        if seen.machine_id and seen.machine_id in ids:
            yield _same_id(host, ids[seen.machine_id], seen)
        ids.setdefault(seen.machine_id, host)
        if seen.hostname and seen.hostname in names:
            yield _same_name(host, names[seen.hostname], seen)
        names.setdefault(seen.hostname, host)


def _same(host: str, other: str) -> Finding:
    return Finding(
        host,
        "error",
        "twin",
        f"is the same machine as {other}: host name, machine id and boot agree",
        f"keep one of {other} and {host} in the inventory, or correct ansible_host",
        "the fleet",
    )


def _same_id(host: str, other: str, seen: Checkup) -> Finding:
    fresh = "dbus-uuidgen"
    if seen.systemd:
        fresh = "systemd-id128 new"
    return Finding(
        host,
        "warning",
        "machine-id",
        f"has the machine id of {other}, as clones have; DHCP may give both one address",
        f"{fresh} >/etc/machine-id && reboot",
        "the fleet",
    )


def _same_name(host: str, other: str, seen: Checkup) -> Finding:
    return Finding(
        host,
        "warning",
        "hostname",
        f"calls itself {seen.hostname}, as {other} does",
        f"echo {host} >/etc/hostname && hostname {host}",
        "the fleet",
    )
