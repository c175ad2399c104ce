"""Files of variables."""

from __future__ import annotations

import pytest

from orch.errors import InputError
from orch.stackfile.dotenv import EnvFile, parse_env, parse_raw_env
from orch.stackfile.notices import Notices

OUTSIDE = {"SHELL": "/bin/sh", "BOTH": "outside"}


def parsed(text: str) -> dict[str, str]:
    return parse_env(EnvFile("f.env", text), OUTSIDE, Notices())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("\n \t\n# only a comment", {}),
        ("A=1", {"A": "1"}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=1\n\n  B = two words  \n", {"A": "1", "B": "two words"}),
        ("A=", {"A": ""}),
        ("A= # nothing", {"A": ""}),
        ("A=b#c # d", {"A": "b#c"}),
        ("A=a=b", {"A": "a=b"}),
        ("A: yaml", {"A": "yaml"}),
        ("export A=1\nexport\tB=2", {"A": "1", "B": "2"}),
        ("a.b-c[0]=1", {"a.b-c[0]": "1"}),
        ("A=1\nA=2", {"A": "2"}),
        ('A="x y" # z', {"A": "x y"}),
        ('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}),
        (r'A="a\tb\nc\"d\\e\0101\$f\q"', {"A": 'a\tb\nc"d\\eA$f\\q'}),
        (r"A='a\tb$SHELL\'c'", {"A": "a\\tb$SHELL'c"}),
        ('A=""', {"A": ""}),
        ("A=1\nB=$A-${A:-2}-${C:-3}", {"A": "1", "B": "1-1-3"}),
        ('A=1\nB="<$A>"', {"A": "1", "B": "<1>"}),
        ("BOTH=inside\nA=$BOTH", {"BOTH": "inside", "A": "outside"}),
        ("SHELL\nNOT_THERE\nA=1", {"SHELL": "/bin/sh", "A": "1"}),
        ("A=it's", {"A": "it's"}),
        ("A=$$5", {"A": "$5"}),
    ],
)
def test_a_file_says_what_its_variables_are(text: str, found: dict[str, str]) -> None:
    assert parsed(text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n=1", "f.env:2: expected NAME=VALUE"),
        ("A=1\nB 1", "f.env:2: expected NAME=VALUE"),
        ('A=1\nB="x', 'f.env:2: a value begins with " and never ends with it'),
        ("A='x\n", "f.env:1: a value begins with ' and never ends with it"),
        ('A="x"y', 'f.env:1: something follows the closing "'),
        ("A=${B:?give it}", "f.env:1: A: the variable B must be set: give it"),
        ("\nA=secret${", "f.env:2: A: has a ${ without its }; write $$ for a dollar sign"),
    ],
)
def test_what_is_no_variable_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text)

    assert str(caught.value) == message


def test_an_unset_variable_is_noted_once() -> None:
    notices = Notices()
    found = parse_env(EnvFile("f.env", "A=<$NO>\nB=$NO\nC=$OTHER"), {}, notices)

    assert found == {"A": "<>", "B": "", "C": ""}
    assert [str(notice) for notice in notices.all()] == [
        "f.env:1: the variable NO is not set and counts as empty (and in 1 more place)",
        "f.env:3: the variable OTHER is not set and counts as empty",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A='kept' # too\r\nB=$X\n", {"A": "'kept' # too", "B": "$X"}),
        ("# no\n\n  A= x ", {"A": " x "}),
        ("SHELL\nNOT_THERE", {"SHELL": "/bin/sh"}),
        ("A=a=b", {"A": "a=b"}),
    ],
)
def test_a_raw_file_is_taken_as_it_stands(text: str, found: dict[str, str]) -> None:
    assert parse_raw_env(EnvFile("f.env", text), OUTSIDE) == found


def test_a_raw_line_without_a_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"^f\.env:2: expected NAME=VALUE$"):
        parse_raw_env(EnvFile("f.env", "A=1\nB = 2"), OUTSIDE)
