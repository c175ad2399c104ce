"""A command as it may be seen."""

from __future__ import annotations

import msgspec
import pytest

from orch.model.command import Command


class Holder(msgspec.Struct):
    command: Command


@pytest.mark.parametrize("show", [repr, str, lambda command: repr(Holder(command)), "{0!r} {0}".format])
def test_what_may_be_secret_is_not_shown(show) -> None:  # type: ignore[no-untyped-def]
    shown = show(Command(("podman", "login"), "pass-1\n", {"TOKEN": "pass-2", "EMPTY": ""}))
    assert "pass-" not in shown
    assert "('podman', 'login')" in shown
    assert "'TOKEN': Secret(…)" in shown
    assert "stdin=Secret(…)" in shown


def test_what_is_shown_of_a_plain_command_is_its_words() -> None:
    assert repr(Command(("true",))) == "Command(argv=('true',))"


def test_commands_are_equal_as_before_and_no_secret_is_part_of_what_is_sent() -> None:
    command = Command(("a",), "in\n", {"N": "v"})
    assert command == Command(("a",), "in\n", {"N": "v"})
    assert command != Command(("a",), "other\n", {"N": "v"})
    assert msgspec.to_builtins(command) == {"argv": ("a",), "stdin": "in\n", "environment": {"N": "v"}}
