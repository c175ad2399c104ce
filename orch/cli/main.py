"""The entry point, and the list of all commands."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import select
import sys
from typing import Any

import click

from orch import __version__
from orch.cli.group import Group
from orch.cli.settings import global_options
from orch.errors import InputErrors, OrchError

_COMMANDS = {
    "apply": ("orch.cli.stack", "Make the services of a Compose file run, and wait until they do."),
    "describe": ("orch.cli.describe", "All that is known of one object, and why it is as it is."),
    "doctor": (
        "orch.cli.doctor",
        "What each host lacks or has set wrongly for its part, and the command that mends it.",
    ),
    "get": ("orch.cli.describe", "Objects as they are stored; what is in secrets is not shown."),
    "image": ("orch.cli.image", "The container images on the nodes, and bringing them there without a registry."),
    "inventory": ("orch.cli.inventory", "What the inventory says, after all merging, and where each value comes from."),
    "job": ("orch.cli.job", "One-off containers, each on the node that suits it best."),
    "lab": ("orch.cli.lab", "Fleets of real hosts on this machine, to try things on."),
    "nodes": ("orch.cli.node", "The hosts of the fleet: what they have and what is asked of them."),
    "plan": ("orch.cli.stack", "What `apply` would change."),
    "ps": ("orch.cli.replica", "The replicas: where they run and how they are."),
    "rm": ("orch.cli.stack", "Remove stacks and all their containers."),
    "run": ("orch.cli.run", "Run COMMAND on every host that PATTERN matches."),
    "scale": ("orch.cli.stack", "Change how many replicas services have."),
    "serve": ("orch.cli.serve", "The master: keeps everything as it is wanted, until it is ended."),
    "services": ("orch.cli.service", "The services: how many replicas each should have, and has."),
    "stacks": ("orch.cli.service", "The stacks: their services, and how many replicas run."),
    "status": ("orch.cli.serve", "How the master is."),
    "version": ("orch.cli.version", "Print orch's version."),
}
"""Name → module that has the command, and its line in the help: modules load only when they are used."""

_SECTIONS = {
    "Stacks": ("plan", "apply", "scale", "rm", "job", "image"),
    "What there is": ("stacks", "services", "ps", "nodes", "describe", "get"),
    "Hosts": ("run", "doctor", "inventory", "lab"),
    "The master": ("serve", "status"),
    "Other": ("version",),
}
"""How the help lists them; one that is in none of these comes last."""


_INTERRUPTED = 130


class _Ended(Exception):
    """A command was ended by the OSError or KeyboardInterrupt that caused this. click would write to standard error
    before anyone else could see them, which may be stuck, and has an exit status of its own."""


class LazyGroup(Group):
    """A group whose commands are imported when one is run, and not to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name not in self.commands:
            module = importlib.import_module(_COMMANDS[cmd_name][0])
            self.add_command(getattr(module, f"{cmd_name}_command"), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        listed = {name for names in _SECTIONS.values() for name in names}
        rest = tuple(sorted(set(_COMMANDS) - listed))
        for title, names in (_SECTIONS | {"Other": (*_SECTIONS["Other"], *rest)}).items():
            with formatter.section(title):
                formatter.write_dl([(name, _COMMANDS[name][1]) for name in names if name in _COMMANDS])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (OSError, KeyboardInterrupt) as error:
            raise _Ended from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@global_options
@click.version_option(__version__, prog_name="orch", message="%(prog)s %(version)s")
def cli() -> None:
    """Containers on a fleet of ordinary servers, with nothing on them but sshd and podman."""


def main() -> None:
    """Exit status: 0 done, 1 failed, 2 usage, 3 partly, 4 refused, 10 changes to be made, 130 interrupted."""
    # Imports leave hundreds of thousands of objects that live to the end: looking through them again and again
    # costs a fifth of the start, and once more at the exit.
    gc.set_threshold(100_000)
    status = run_cli(sys.argv[1:])
    if status == _INTERRUPTED:
        # Python's own end would first write what is left of the output, perhaps to something that nobody reads.
        os._exit(status)
    gc.freeze()
    sys.exit(status)


def run_cli(arguments: list[str]) -> int:
    """The exit status of one command line; every error of orch's own becomes one message on standard error."""
    try:
        result: Any = cli.main(arguments, prog_name="orch", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.NoSuchOption as error:
        if error.ctx is not None and error.ctx.info_name == "run":
            click.echo("orch: an option of the command itself needs -- before the command", err=True)
        error.show()
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except _Ended as ended:
        return _interrupted() if isinstance(ended.__cause__, KeyboardInterrupt) else _unwritable(ended.__cause__)
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except OrchError as error:
        for line in str(error).splitlines() if isinstance(error, InputErrors) else [error]:
            click.echo(f"orch: {line}", err=True)
        return error.exit_status
    return result if isinstance(result, int) else 0


def _interrupted() -> int:
    # The new line is for the terminal's ^C.
    if sys.stderr is not None and select.select([], [sys.stderr], [], 0)[1]:
        click.echo("\norch: interrupted", err=True)
    return _INTERRUPTED


def _unwritable(error: BaseException | None) -> int:
    # Files are told of by name elsewhere: this is standard output. Nothing more may be written, not even at exit.
    sys.stdout = None
    if not isinstance(error, OSError) or error.errno == errno.EPIPE:  # Whoever read it has seen enough.
        return 0
    click.echo(f"orch: the output cannot be written: {error.strerror}", err=True)
    return 1
