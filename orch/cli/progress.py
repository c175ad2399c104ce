"""Following an apply: a line for each action as it is done, and on a terminal one more that says how far it is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import click

from orch.cli.output import note, warn
from orch.cli.settings import Settings
from orch.model.plan import Adopt, Forget, Plan, Remove, Run
from orch.model.replica import Replica

if TYPE_CHECKING:
    from orch.master.executor import Outcome

DONE = {Run: "started", Remove: "removed", Forget: "forgot", Adopt: "adopted"}
_CLEAR = "\r\033[K"


class Progress:
    """For a node that is lost, one line tells of all of its actions. Use as `with Progress(settings) as progress`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._live = settings.output == "table" and not settings.quiet and sys.stderr.isatty()
        self._planned = self._ended = self._failed = 0
        self._waits = False
        self.lost: set[str] = set()

    def planned(self, plan: Plan) -> None:
        self._planned += len(plan.actions)
        self._show_count()

    def done(self, outcome: Outcome) -> None:
        self._show("")
        self._tell(outcome)
        self._ended += 1
        self._failed += bool(outcome.error)
        self._show_count()

    def waiting(self, replicas: Sequence[Replica]) -> None:
        more = f" and {len(replicas) - 1} more" if len(replicas) > 1 else ""
        text = f"waiting for {replicas[0].slot}{more} to settle"
        if self._live:
            self._show(text)
        elif not self._waits and self._settings.output == "table":
            note(self._settings, text)
        self._waits = True

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show("")

    def _tell(self, outcome: Outcome) -> None:
        action, node = outcome.action, outcome.action.replica.node
        if outcome.lost:
            if node not in self.lost:
                self.lost.add(node)
                warn(f"{node}: {outcome.error}")
        elif outcome.error:
            warn(f"{node}: {action.replica.slot}: {outcome.error}")
        elif not outcome.skipped and self._settings.output == "table":
            # What is only forgotten may run on somewhere out of sight, so that is always said.
            why = f" ({action.why})" if self._settings.verbose or isinstance(action, Forget) else ""
            note(self._settings, f"{DONE[type(action)]} {action.replica.slot} on {node}{why}")

    def _show_count(self) -> None:
        failed = f", {self._failed} failed" if self._failed else ""
        self._show(f"{self._ended} of {self._planned}{failed}")

    def _show(self, text: str) -> None:
        """The line below all others; empty to take it away."""
        if self._live:
            width = shutil.get_terminal_size().columns
            click.echo(_CLEAR + text[: width - 1], nl=False, err=True)
