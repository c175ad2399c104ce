"""Groups of commands, and what all of them have in common."""

from __future__ import annotations

from difflib import get_close_matches

import click

GLOBAL_OPTIONS = "Global options (-i, -o, -v and others) go before or after the command: see orch --help."


class Group(click.Group):
    """A mistyped command names the nearest; the help of commands points to the global options instead of repeating
    them."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is not None and not isinstance(command, click.Group):
            command.epilog = GLOBAL_OPTIONS
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.list_commands(ctx), n=2, cutoff=0.7)
            advice = f"did you mean {' or '.join(near)}?" if near else f"`{ctx.command_path} --help` lists them"
            raise click.UsageError(f"there is no command {args[0]!r}; {advice}", ctx)
        return super().resolve_command(ctx, args)
