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
        ("${NO:-${X}}", "x"),
        ("${NO:-${EMPTY:-${NO-z}}}!", "z!"),
        ("${NO:-$X$$y}", "x$y"),
        ("${X:+<${X}>}", "<x>"),
        ('${NO:-{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ("${X:-${NO:?never asked for}}", "x"),
        ("5$", "5$"),
        ("$1 $ x $- a$.", "$1 $ x $- a$."),
    ],
)
def test_a_reference_stands_for_its_value(text: str, value: str) -> None:
    found = interpolate(text, VARIABLES)

    assert (found.text, found.unset) == (value, ())


@pytest.mark.parametrize(
    ("text", "value", "unset"),
    [
        ("$NO", "", ("NO",)),
        ("a${NO}b$NO2", "ab", ("NO", "NO2")),
        ("${OTHER:-$NO}", "", ("NO",)),
        ("${X:-$NO}", "x", ()),
        ("${NO:+$OTHER}", "", ()),
    ],
)
def test_an_unset_variable_is_empty_and_named(text: str, value: str, unset: tuple[str, ...]) -> None:
    found = interpolate(text, VARIABLES)

    assert (found.text, found.unset) == (value, unset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NO?give one}", "the variable NO must be set: give one"),
        ("${NO:?give one}", "the variable NO must be set: give one"),
        ("${EMPTY:?give one}", "the variable EMPTY must be set: give one"),
        ("${NO?}", "the variable NO must be set: it is not"),
        ("${NO?like $X}", "the variable NO must be set: like x"),
        ("${NO:-${NO2?deep}}", "the variable NO2 must be set: deep"),
    ],
)
def test_a_variable_that_must_be_set_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        interpolate(text, VARIABLES)


@pytest.mark.parametrize("text", ["${X", "${", "${X:-{}", "${NO:-${X}"])
def test_a_brace_that_is_not_closed_is_refused(text: str) -> None:
    # Without the text itself, which may be a password.
    message = "has a ${ without its }; write $$ for a dollar sign"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        interpolate(text, VARIABLES)


@pytest.mark.parametrize("text", ["${}", "${1}", "${X!}", "${X:}", "${X/a/b}", "${ X }"])
def test_a_brace_around_no_variable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^has a \$\{…\} that is no variable; known are "):
        interpolate(text, VARIABLES)


def test_variables_within_variables_have_an_end() -> None:
    with pytest.raises(ValueError, match="more than 20 deep"):
        interpolate("${NO:-" * 10_000 + "}" * 10_000, VARIABLES)
