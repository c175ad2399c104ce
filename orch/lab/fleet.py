"""Whole labs: making them, taking them away, and breaking them on purpose."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import asyncssh
import msgspec

from orch.errors import LabError
from orch.lab import cgroups, network
from orch.lab.boot import boot
from orch.lab.images import prepare_store
from orch.lab.inventory import write_inventory
from orch.lab.layout import HOME, IMAGES, Lab, LabHost, LabPaths
from orch.lab.machine import locked, locked_images
from orch.lab.seed import Keys, seed_files, write_seed

HostState = Literal["up", "cut", "off"]

_NEEDED = {
    "ip": "iproute2",
    "iptables": "iptables",
    "mount": "mount",
    "nsenter": "util-linux",
    "podman": "podman",
    "runc": "runc",
    "setsid": "util-linux",
    "sshd": "openssh-server",
    "sudo": "sudo",
    "unshare": "util-linux",
}
"""Commands that hosts or their making use, with Debian's package of each."""


class HostStatus(msgspec.Struct, frozen=True):
    """`pid` is the process, seen from the machine, whose end is a power cut; None when the host is off."""

    name: str
    address: str
    state: HostState
    pid: int | None


def up(lab: Lab) -> None:
    """Make the lab and start its hosts; returns while they boot.

    Raises LabError when a lab of that name exists or the machine lacks something.
    """
    paths = lab.paths()
    with locked(paths) as machine:
        if traces(paths):
            raise LabError(
                f"lab {lab.name} exists; `orch lab down --lab {lab.name}` takes it away, "
                "or --lab NAME makes another beside it"
            )
        _check_programs()
        cgroups.check_limits(
            cgroups.hierarchies(),
            cpu=any(host.millicpus for host in lab.hosts),
            memory=any(host.memory for host in lab.hosts),
        )
        paths.home.mkdir()
        paths.home.chmod(0o700)
        paths.manifest.write_bytes(msgspec.json.encode(lab))
        with locked_images() as images:
            prepare_store(images)
        keys = _make_keys(lab, paths)
        write_inventory(lab, paths)
        paths.disk.mkdir()
        machine.run("mount", "-t", "tmpfs", "-o", "mode=700", f"orch-lab-{lab.name}", str(paths.disk))
        network.make_switch(machine, paths)
        passwd, group = (Path("/etc", n).read_text() for n in ("passwd", "group"))
        for host in lab.hosts:
            paths.work(host.name).mkdir(parents=True)
            paths.upper(host.name).mkdir(mode=0o755)
            write_seed(paths.upper(host.name), seed_files(lab, host, keys[host.name], passwd, group))
            network.plug_in(machine, paths, host)
            boot(machine, paths, host)


def down(name: str) -> bool:
    """Take away all that the lab ever made, however far `up` came; False when there was nothing."""
    paths = LabPaths(name)
    with locked(paths) as machine:
        if not traces(paths):
            return False
        cgroups.remove(paths.cgroup)
        for namespace in network.namespaces(paths):
            network.delete_namespace(machine, namespace)
        while os.path.ismount(paths.disk):
            machine.run("umount", "--lazy", str(paths.disk))
        if paths.home.exists():
            shutil.rmtree(paths.home)
        _remove_parent_group()
        return True


def traces(paths: LabPaths) -> list[str]:
    """All that exists of a lab on this machine, as words for people; empty after `down`."""
    found = [str(d) for d in cgroups.directories(paths.cgroup)]
    found += [f"network namespace {n}" for n in network.namespaces(paths)]
    if os.path.ismount(paths.disk):
        found.append(f"mount {paths.disk}")
    if paths.home.exists():
        found.append(str(paths.home))
    return found


def load(name: str) -> Lab:
    """Raises LabError when there is no such lab."""
    paths = LabPaths(name)
    try:
        return msgspec.json.decode(paths.manifest.read_bytes(), type=Lab)
    except (FileNotFoundError, NotADirectoryError):
        raise LabError(f"there is no lab {name}; `orch lab up --lab {name}` makes one") from None
    except PermissionError:
        raise LabError(f"lab {name} belongs to root; try sudo") from None
    except msgspec.DecodeError as error:
        raise LabError(
            f"{paths.manifest} was left half-written ({error}); `orch lab down --lab {name}` cleans up"
        ) from None


def status(name: str) -> list[HostStatus]:
    paths = LabPaths(name)
    with locked(paths) as machine:
        lab = load(name)
        ports = network.ports(machine, paths)
        return [_host_status(paths, host, ports.get(host.name)) for host in lab.hosts]


def kill(name: str, hosts: Sequence[str]) -> None:
    """A power cut: every process of the hosts dies at once, their disks stay."""
    paths = LabPaths(name)
    with locked(paths) as machine:
        lab = load(name)
        for host in [lab.host(h) for h in hosts]:
            # First, so that no dying process and no kernel says goodbye to anyone.
            network.silence(machine, paths, host)
            cgroups.kill(paths.host_cgroup(host.name))


def start(name: str, hosts: Sequence[str]) -> None:
    """Switch hosts on again, with their old disks and a fresh memory. One that runs stays as it is.

    A cut cable stays cut.
    """
    paths = LabPaths(name)
    with locked(paths) as machine:
        lab = load(name)
        ports = network.ports(machine, paths)
        for host in [lab.host(h) for h in hosts]:
            if cgroups.members(paths.host_cgroup(host.name)):
                continue
            # Bridges, addresses and firewall rules live in the namespace, and a reboot forgets them.
            cgroups.remove(paths.host_cgroup(host.name))
            network.unplug(machine, paths, host)
            network.plug_in(machine, paths, host, ports.get(host.name, "up"))
            boot(machine, paths, host)


def connect_cable(name: str, hosts: Sequence[str], port: network.Port) -> None:
    """`down` is a partition: the host runs on, and nothing passes in either direction. `up` heals it."""
    paths = LabPaths(name)
    with locked(paths) as machine:
        lab = load(name)
        for host in [lab.host(h) for h in hosts]:
            network.set_port(machine, paths, host, port)


def inside(name: str, host: str, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` in a host, from the machine and not over the network.

    The caller's process must join the groups that `cgroups.create` returns for it; see `join_host`.
    """
    paths = LabPaths(name)
    pid = _running(paths, load(name).host(host))
    if pid is None:
        raise LabError(f"{host} is off; `orch lab start {host} --lab {name}` starts it")
    child = _booted(pid)
    if child is None:
        raise LabError(f"{host} is just starting; try again")
    target = ("--target", str(child), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
    return ["nsenter", *target, "--root", "--wd", "--", *command]


def _booted(pid: int) -> int | None:
    """The host's process 1, once it has left this machine's root file system for its own."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children or os.path.samefile(f"/proc/{children[0]}/root", "/"):
            return None
    except FileNotFoundError:
        return None
    return int(children[0])


def join_host(name: str, host: str) -> None:
    """Put this process into the host's cgroups, so that what it starts there is the host's, and ends with it."""
    cgroups.join(LabPaths(name).box_cgroup(host), "exec")


def _make_keys(lab: Lab, paths: LabPaths) -> dict[str, Keys]:
    """A key that logs in everywhere, one for each host, and the file by which clients know the hosts."""
    client = asyncssh.generate_private_key("ssh-ed25519", comment=f"lab {lab.name}")
    paths.key.touch(mode=0o600)
    paths.key.write_bytes(client.export_private_key())
    authorized = client.export_public_key().decode()
    keys, known = {}, ""
    for host in lab.hosts:
        own = asyncssh.generate_private_key("ssh-ed25519", comment=host.name)
        keys[host.name] = Keys(own.export_private_key().decode(), authorized)
        known += f"{host.address} {own.export_public_key().decode()}"
    paths.known_hosts.write_text(known)
    return keys


def _check_programs() -> None:
    where = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    missing = sorted({p for c, p in _NEEDED.items() if shutil.which(c, path=where) is None})
    if not Path("/lib/systemd/systemd").exists():
        missing.append("systemd")
    if missing:
        raise LabError(f"hosts need {', '.join(missing)} on this machine: apt-get install {' '.join(missing)}")


def _remove_parent_group() -> None:
    for directory in cgroups.directories("orch-lab"):
        try:
            directory.rmdir()
        except OSError:
            return  # Another lab is in it.


def _running(paths: LabPaths, host: LabHost) -> int | None:
    try:
        pid = int(paths.pid(host.name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid in cgroups.members(paths.super_cgroup(host.name)) else None


def _host_status(paths: LabPaths, host: LabHost, port: network.Port | None) -> HostStatus:
    pid = _running(paths, host)
    state: HostState = "off" if pid is None else "up" if port == "up" else "cut"
    return HostStatus(host.name, host.address, state, pid)


def labs() -> list[str]:
    """The names of all labs on this machine, half-made ones too."""
    if not HOME.is_dir():
        return []
    return sorted(p.name for p in HOME.iterdir() if p.is_dir() and p != IMAGES)
