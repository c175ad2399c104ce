"""Files of variables: `.env`, and what services name under `env_file`.

# a comment
PLAIN=value of $OTHER        # a comment
export DOUBLE="with \\n escapes and ${VARIABLES:-too}, over several lines"
SINGLE='all as it stands: $X'
FROM_OUTSIDE

"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

import msgspec

from orch.errors import InputError
from orch.located import Located
from orch.stackfile.notices import Notices
from orch.stackfile.variables import interpolate

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([^\s=:#'\"]+)[ \t]*(?:([=:])[ \t]*)?")
_SPACE = re.compile(r"(?:\s|#[^\n]*)*")
_ESCAPE = re.compile(r"\\(0[0-7]{0,3}|[abcfnrtv$\"\\])")
_ESCAPED = {"a": "\a", "b": "\b", "c": "\\c", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class EnvFile(msgspec.Struct, frozen=True):
    """The text of such a file, and what it is called in errors."""

    file: str
    text: str


def parse_env(source: EnvFile, outside: Mapping[str, str], notices: Notices) -> dict[str, str]:
    """`outside` wins over the file's own variables where its values refer to some, and gives names without `=` theirs.

    Raises InputError, which repeats no value.
    """
    text = _unix(source.text)
    found: dict[str, str] = {}
    at = 0
    while (at := _end(_SPACE, text, at)) < len(text):
        line = text.count("\n", 0, at) + 1
        match = _NAME.match(text, at)
        if match is None:
            _fail(source, line, "expected NAME=VALUE")
        name, at = match[1], match.end()
        if match[2] is None:
            if text[at : at + 1] not in {"", "\n"}:
                # Without the word, which may be a line of a key that was pasted without quotes.
                _fail(source, line, "expected NAME=VALUE")
            if name in outside:
                found[name] = outside[name]
            continue
        value, literal, at = _value(source, text, at, line)
        if not literal and "$" in value:
            value = _filled(source, line, name, value, {**found, **outside}, notices)
        found[name] = value
    return found


def parse_raw_env(source: EnvFile, outside: Mapping[str, str]) -> dict[str, str]:
    """`format: raw`: everything after the first `=` of a line is the value, quotes and dollar signs included."""
    found: dict[str, str] = {}
    for number, line in enumerate(_unix(source.text).split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.lstrip().partition("=")
        if not name or re.search(r"\s", name):
            _fail(source, number, "expected NAME=VALUE")
        if equals:
            found[name] = value
        elif name in outside:
            found[name] = outside[name]
    return found


def _unix(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _value(source: EnvFile, text: str, at: int, line: int) -> tuple[str, bool, int]:
    """The value that begins at `at`, whether it stands for itself, and where it ends."""
    quote = text[at : at + 1]
    if quote not in {"'", '"'}:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        # `A= # nothing` has no value; in `A=b#c` the # belongs to it.
        value = re.split(r"(?:^|\s)#", text[at:end], maxsplit=1)[0]
        return value.strip(), False, end
    closing = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL).match(text, at)
    if closing is None:
        _fail(source, line, f"a value begins with {quote} and never ends with it")
    rest = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)").match(text, closing.end())
    if rest is None:
        _fail(source, line, f"something follows the closing {quote}")
    inside = closing[1]
    if quote == "'":
        return inside.replace("\\'", "'"), True, rest.end()
    return _ESCAPE.sub(_unescaped, inside), False, rest.end()


def _unescaped(match: re.Match[str]) -> str:
    letter = match[1]
    if letter.startswith("0"):
        return chr(int(letter, 8))
    # `$$` is what a dollar sign is to `interpolate`.
    return "$$" if letter == "$" else _ESCAPED.get(letter, letter)


def _filled(source: EnvFile, line: int, name: str, value: str, variables: Mapping[str, str], notices: Notices) -> str:
    try:
        filled = interpolate(value, variables)
    except ValueError as error:
        _fail(source, line, f"{name}: {error}")
    for missing in filled.unset:
        place = Located(None, source.file, line, "")
        notices.add(place, f"unset {missing}", f"the variable {missing} is not set and counts as empty")
    return filled.text


def _fail(source: EnvFile, line: int, message: str) -> NoReturn:
    raise InputError(source.file, line, message)
