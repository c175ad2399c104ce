"""`orch lab`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import click
import msgspec

from orch.cli.fleet import run_async
from orch.cli.group import Group
from orch.cli.output import Column, emit, note
from orch.cli.settings import current_settings, settings_options
from orch.errors import UsageError
from orch.model.quantities import parse_cpus, parse_memory

DEFAULT = "lab"
_new_lab_option = click.option("--lab", "name", default=DEFAULT, show_default=True, metavar="NAME", help="Which lab.")
_lab_option = click.option(
    "--lab", "given", metavar="NAME", help=f"Which lab. Default: the only one, or the one called {DEFAULT}."
)
_hosts_argument = click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
_COLUMNS = (
    Column("NAME", "name"),
    Column("ADDRESS", "address"),
    Column("STATE", "state", style={"up": "green", "cut": "yellow", "off": "red"}),
    Column("PID", "pid"),
)


def chosen_lab(given: str | None, labs: Sequence[str]) -> str:
    """The lab that is meant. Raises UsageError when several may be."""
    if given is not None or not labs or DEFAULT in labs:
        return given or DEFAULT
    if len(labs) > 1:
        raise UsageError(f"there are several labs; say which with --lab: {', '.join(labs)}")
    return labs[0]


def _which(given: str | None) -> str:
    from orch.lab import fleet

    return chosen_lab(given, [] if given else fleet.labs())


def _tell(hosts: Sequence[str], what: str) -> None:
    """One line for all of them."""
    note(current_settings(), f"{', '.join(hosts)}: {what}")


@click.group("lab", cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def lab_command() -> None:
    """Fleets of real hosts on this machine: own systemd, sshd, podman and network. Needs Linux and root.

    A lab's network leads nowhere else: what is tried in it stays in it.
    """


@lab_command.command("up")
@_new_lab_option
@click.option("-n", "count", type=int, default=3, show_default=True, help="How many hosts.")
@click.option("--cpus", metavar="CORES", help="Limit each host's CPU. Default: the machine's.")
@click.option("--memory", metavar="SIZE", help="Limit each host's memory, like 2g. Default: the machine's.")
@settings_options
def up(name: str, count: int, cpus: str | None, memory: str | None) -> None:
    """Make a lab of hosts w1, w2, … and wait until all can be reached."""
    from orch.lab import fleet
    from orch.lab.layout import plan_lab
    from orch.lab.ready import wait_until_ready

    settings = current_settings()
    try:
        millicpus, size = parse_cpus(cpus) if cpus else 0, parse_memory(memory) if memory else 0
    except ValueError as error:
        raise UsageError(str(error)) from None
    lab = plan_lab(name, count, millicpus, size)
    began = time.monotonic()
    fleet.up(lab)
    run_async(wait_until_ready(lab, [host.name for host in lab.hosts]))
    seconds = time.monotonic() - began
    note(settings, f"{count} host{'' if count == 1 else 's'} up in {seconds:.1f} s; their inventory:")
    click.echo(lab.paths().inventory)


@lab_command.command("down")
@_new_lab_option
@click.option("--all", "every", is_flag=True, help="All labs of this machine.")
@settings_options
def down(name: str, every: bool) -> None:
    """Take a lab away, whole, however far it ever came."""
    from orch.lab import fleet

    settings = current_settings()
    for lab in fleet.labs() if every else [name]:
        gone = fleet.down(lab)
        note(settings, f"lab {lab} is gone" if gone else f"there is no lab {lab}")


@lab_command.command("status")
@_lab_option
@settings_options
def status(given: str | None) -> None:
    """The hosts of a lab: up, cut (no network) or off."""
    from orch.lab import fleet

    rows = [msgspec.to_builtins(row) for row in fleet.status(_which(given))]
    emit(current_settings(), rows, [row | {"pid": row["pid"] or ""} for row in rows], _COLUMNS)


@lab_command.command("kill", short_help="A power cut.")
@_lab_option
@_hosts_argument
@settings_options
def kill(given: str | None, hosts: tuple[str, ...]) -> None:
    """A power cut: all processes of the hosts die at once; their disks stay."""
    from orch.lab import fleet

    name = _which(given)
    fleet.kill(name, hosts)
    _tell(hosts, f"power cut; orch lab start --lab {name} {' '.join(hosts)} switches on again")


@lab_command.command("start", short_help="Switch killed hosts on again.")
@_lab_option
@_hosts_argument
@settings_options
def start(given: str | None, hosts: tuple[str, ...]) -> None:
    """Switch killed hosts on again, with the disks they had, and wait until they can be reached."""
    from orch.lab import fleet
    from orch.lab.ready import wait_until_ready

    name = _which(given)
    fleet.start(name, hosts)
    lab = fleet.load(name)
    reachable = [row.name for row in fleet.status(name) if row.name in hosts and row.state == "up"]
    run_async(wait_until_ready(lab, reachable))
    _tell(hosts, "on")


@lab_command.command("cut", short_help="Pull the network cables of hosts.")
@_lab_option
@_hosts_argument
@settings_options
def cut(given: str | None, hosts: tuple[str, ...]) -> None:
    """Pull the network cables of hosts: they run on, and nothing reaches them or comes from them."""
    from orch.lab import fleet

    name = _which(given)
    fleet.connect_cable(name, hosts, "down")
    _tell(hosts, f"cable pulled; orch lab heal --lab {name} {' '.join(hosts)} plugs it in again")


@lab_command.command("heal")
@_lab_option
@_hosts_argument
@settings_options
def heal(given: str | None, hosts: tuple[str, ...]) -> None:
    """Plug the cables in again."""
    from orch.lab import fleet

    fleet.connect_cable(_which(given), hosts, "up")
    _tell(hosts, "cable plugged in")


@lab_command.command("exec", short_help="Run COMMAND as root in a host, not over the network.")
@_lab_option
@click.argument("host")
@click.argument("command", nargs=-1, required=True)
@settings_options
def exec_(given: str | None, host: str, command: tuple[str, ...]) -> None:
    """Run COMMAND as root in a host, from this machine and not over the network; put -- before it."""
    from orch.lab import fleet

    name = _which(given)
    argv = fleet.inside(name, host, command)
    fleet.join_host(name, host)
    os.execvp(argv[0], argv)


@lab_command.command("image", short_help="Make a container image for the hosts of all labs.")
@click.argument("image", metavar="NAME")
@click.option("--tag", default="latest", show_default=True)
@settings_options
def image(image: str, tag: str) -> None:
    """Make the container image localhost/NAME:TAG for the hosts of all labs, from this machine's packages.

    NAME: busybox or redis.
    """
    from orch.lab.images import make_image
    from orch.lab.machine import locked_images

    with locked_images() as machine:
        click.echo(make_image(machine, image, tag))
