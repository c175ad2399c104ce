"""Compose's variables in values."""

import re

import pytest

from orch.stackfile.variables import interpolate

VARIABLES = {"X": "x", "EMPTY": "", "_A1": "a", "DOLLAR": "$X"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain {X}", "plain {X}"),
        ("$X", "x"),
        ("${X}", "x"),
        ("a$X.b${X}c", "ax.bxc"),
        ("${_A1}", "a"),
        ("$_A1-", "a-"),
        ("$EMPTY|", "|"),
        ("${EMPTY}|", "|"),
        ("$$X", "$X"),
        ("$$$X", "$x"),
        ("$${X}", "${X}"),
        ("$$$$", "$$"),
        ("$DOLLAR", "$X"),
        ("${X:-d}", "x"),
        ("${NO:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${NO:-}", ""),
        ("${NO:-a b:c/d?e}", "a b:c/d?e"),
        ("${X-d}", "x"),
        ("${NO-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${X:+o}", "o"),
        ("${NO:+o}", ""),
        ("${EMPTY:+o}", ""),
        ("${X+o}", "o"),
        ("${NO+o}", ""),
        ("${EMPTY+o}", "o"),
        ("${X:?e}", "x"),
        ("${X?e}", "x"),
        ("${EMPTY?e}", ""),
    ],
)
def test_a_reference_stands_for_its_value(text: str, value: str) -> None:
    assert interpolate(text, VARIABLES) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$NO", "the variable NO is not set; ${NO:-} would allow that"),
        ("a${NO}b", "the variable NO is not set; ${NO:-} would allow that"),
        ("${NO?give one}", "the variable NO must be set: give one"),
        ("${NO:?give one}", "the variable NO must be set: give one"),
        ("${EMPTY:?give one}", "the variable EMPTY must be set: give one"),
        ("${NO?}", "the variable NO must be set: it is not"),
    ],
)
def test_a_variable_that_must_be_set_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        interpolate(text, VARIABLES)


@pytest.mark.parametrize("text", ["$", "a$", "$ X", "$1", "${}", "${X", "${1}", "${X!}", "${X:}", "${X:-${X}}", "$-"])
def test_a_dollar_that_begins_nothing_is_refused(text: str) -> None:
    # Without the text itself, which may be a password.
    message = "has a $ that begins no variable; write $$ for a dollar sign"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        interpolate(text, VARIABLES)
