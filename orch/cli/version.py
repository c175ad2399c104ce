"""`orch version`."""

import click

from orch import __version__
from orch.cli.settings import settings_options


@click.command("version")
@settings_options
def version_command() -> None:
    """Print orch's version."""
    click.echo(f"orch {__version__}")
