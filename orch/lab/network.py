"""A lab's network: one namespace with a bridge and no way out, and one namespace for each host."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from orch.lab.layout import MASTER_ADDRESS, LabHost, LabPaths
from orch.lab.machine import Machine

BRIDGE = "br0"
_NAMESPACES = Path("/run/netns")

Port = Literal["up", "down"]


def make_switch(machine: Machine, paths: LabPaths) -> None:
    """The bridge all hosts are on. The master's sockets are made in this namespace too."""
    machine.run("ip", "netns", "add", paths.switch)
    _batch(
        machine,
        paths.switch,
        f"link add {BRIDGE} type bridge",
        f"address add {MASTER_ADDRESS}/24 dev {BRIDGE}",
        f"link set {BRIDGE} up",
        "link set lo up",
    )


def plug_in(machine: Machine, paths: LabPaths, host: LabHost, port: Port = "up") -> None:
    """A fresh namespace for the host, cabled to the bridge: what a machine has when it is switched on."""
    namespace = paths.netns(host.name)
    machine.run("ip", "netns", "add", namespace)
    _batch(
        machine,
        paths.switch,
        # One address for life, as a real card has: neighbours remember it over a power cut.
        f"link add {host.name} type veth peer name eth0 address {mac_of(host)} netns {namespace}",
        f"link set {host.name} master {BRIDGE}",
        f"link set {host.name} {port}",
    )
    _batch(
        machine,
        namespace,
        f"address add {host.address}/24 dev eth0",
        "link set eth0 up",
        "link set lo up",
    )


def unplug(machine: Machine, paths: LabPaths, host: LabHost) -> None:
    """Undo `plug_in`. The cable goes first: the kernel takes a namespace apart at its leisure, and until then
    the bridge's end of the cable keeps its name."""
    if host.name in ports(machine, paths):
        machine.run("ip", "-n", paths.switch, "link", "delete", host.name)
    delete_namespace(machine, paths.netns(host.name))


def silence(machine: Machine, paths: LabPaths, host: LabHost) -> None:
    """The host's card goes dead; the bridge's port stays as it is."""
    if (_NAMESPACES / paths.netns(host.name)).exists():
        machine.run("ip", "-n", paths.netns(host.name), "link", "set", "eth0", "down")


def mac_of(host: LabHost) -> str:
    """A locally administered address, told apart within the lab by its end."""
    return f"02:00:c6:12:00:{host.number:02x}"


def delete_namespace(machine: Machine, namespace: str) -> None:
    """Nothing happens where there is none."""
    if (_NAMESPACES / namespace).exists():
        machine.run("ip", "netns", "delete", namespace)


def set_port(machine: Machine, paths: LabPaths, host: LabHost, port: Port) -> None:
    machine.run("ip", "-n", paths.switch, "link", "set", host.name, port)


def ports(machine: Machine, paths: LabPaths) -> dict[str, Port]:
    """The bridge's port of each host that has one."""
    if not (_NAMESPACES / paths.switch).exists():
        return {}
    links = msgspec.json.decode(machine.run("ip", "-n", paths.switch, "-json", "link", "show"))
    return {k["ifname"]: "up" if "UP" in k["flags"] else "down" for k in links}


def namespaces(paths: LabPaths) -> list[str]:
    """Every namespace of the lab that exists."""
    if not _NAMESPACES.is_dir():
        return []
    found = (entry.name for entry in _NAMESPACES.iterdir())
    return sorted(n for n in found if n == paths.switch or n.startswith(f"{paths.switch}."))


def _batch(machine: Machine, namespace: str, *commands: str) -> None:
    machine.run("ip", "-n", namespace, "-batch", "-", input="\n".join(commands) + "\n")
