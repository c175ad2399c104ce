"""Time limits that a node keeps by itself. Pure."""

from __future__ import annotations

from orch.model.command import Argv

_KILL_AFTER = 5
OUT_OF_TIME = (124, 137)
"""How `timeout` ends when the command had to be ended, and when it had to be killed."""


def within(seconds: int, argv: Argv) -> Argv:
    """The command, ended on its own node after `seconds`: podman is known to hang."""
    return ("timeout", "-k", str(_KILL_AFTER), str(seconds), *argv)
