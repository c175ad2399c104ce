"""Host patterns: which hosts of a fleet a user means.

    pattern = part { (":" | ",") part }     "web:&prod:!w3"
    part    = ["&" | "!"] what
    what    = ("NAME" | "GLOB") ["[" slice "]"] | "~REGEX" | "@FILE"
    slice   = n | first ":" [last]          from 0, both ends included, negative ones from the end

A name is a host's or a group's. `:` and `,` do not separate inside of brackets, nor in a regular expression inside of
its parentheses and braces or after a backslash; an IPv6 address may stand between commas.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from orch.inventory.ranges import is_ipv6

_SUBSCRIPT = re.compile(r"(.+)\[(-?[0-9]{1,9})?(?:([:-])(-?[0-9]{1,9})?)?\]", re.DOTALL)
_PLAIN_ATOM = re.compile(r"\[[^\]]*\]|.", re.DOTALL)
_REGEX_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_REGEX_PART = re.compile(r"\s*[&!]?\s*~")


class Name(msgspec.Struct, frozen=True, tag="name"):
    text: str


class Glob(msgspec.Struct, frozen=True, tag="glob"):
    """`*`, `?` and `[…]` as a shell has them."""

    text: str


class Regex(msgspec.Struct, frozen=True, tag="regex"):
    """Matches names that begin so, as in Ansible; `$` ties the end."""

    text: str


class FromFile(msgspec.Struct, frozen=True, tag="file"):
    """A file with one pattern a line; `#` begins a comment."""

    path: str


class Slice(msgspec.Struct, frozen=True):
    """Places `first` to `last`, both included; -1 is the last there is."""

    first: int
    last: int


What: TypeAlias = Name | Glob | Regex | FromFile


class Part(msgspec.Struct, frozen=True):
    """`sign`: nothing adds, `&` keeps only those also named here, `!` takes away."""

    what: What
    sign: Literal["", "&", "!"] = ""
    slice: Slice | None = None


Pattern: TypeAlias = tuple[Part, ...]


def parse_pattern(text: str) -> Pattern:
    """Raises ValueError, whose text says which part is wrong."""
    parts = [part.strip() for part in _split(text)]
    if not all(part.strip("&! ") for part in parts):
        raise ValueError(f"host pattern {text!r} has an empty part")
    return tuple(_parse_part(part) for part in parts)


def render_pattern(pattern: Pattern) -> str:
    """What `parse_pattern` reads back."""
    return ",".join(render_part(part) for part in pattern)


def render_part(part: Part) -> str:
    return f"{part.sign}{_render_what(part.what)}{_render_slice(part.slice)}"


def _render_what(what: What) -> str:
    match what:
        case Regex(text=text):
            return f"~{text}"
        case FromFile(path=path):
            return f"@{path}"
        case Name(text=text) | Glob(text=text):
            return text


def _render_slice(found: Slice | None) -> str:
    if found is None:
        return ""
    if found.first == found.last:
        return f"[{found.first}]"
    return f"[{found.first}:]" if found.last == -1 else f"[{found.first}:{found.last}]"


def _split(text: str) -> Iterator[str]:
    start = 0
    while start <= len(text):
        end = _end_of_part(text, start)
        yield text[start:end]
        start = end + 1


def _end_of_part(text: str, start: int) -> int:
    comma = text.find(",", start)
    until_comma = comma if comma >= 0 else len(text)
    if is_ipv6(text[start:until_comma].strip(" &!")):
        return until_comma
    regex = _REGEX_PART.match(text, start) is not None
    depth = 0
    for atom in (_REGEX_ATOM if regex else _PLAIN_ATOM).finditer(text, start):
        if regex and atom[0] in "({":
            depth += 1
        elif regex and atom[0] in ")}":
            depth -= 1
        elif atom[0] in ",:" and depth <= 0:
            return atom.start()
    return len(text)


def _parse_part(text: str) -> Part:
    sign: Literal["", "&", "!"] = "&" if text[0] == "&" else "!" if text[0] == "!" else ""
    body = text[len(sign) :].strip()
    if body[0] in "&!":
        raise ValueError(f"{text!r} has two signs; one of & and ! goes before a name")
    if body[0] == "~":
        return Part(Regex(_checked_regex(body[1:], text)), sign)
    if body[0] == "@":
        if not body[1:]:
            raise ValueError(f"{text!r} names no file; expected @FILE")
        return Part(FromFile(body[1:]), sign)
    body, found = _split_slice(body)
    if "[" in body and "]" not in body[body.rindex("[") :]:
        raise ValueError(f"{text!r} has a bracket that is not closed")
    return Part(Glob(body) if any(c in body for c in "*?[") else Name(body), sign, found)


def compile_regex(regex: str) -> re.Pattern[str]:
    """Without Python's warnings of what some later version of it may read differently."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(regex)


def _checked_regex(regex: str, text: str) -> str:
    try:
        compile_regex(regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    if not regex:
        raise ValueError(f"{text!r} is an empty regular expression")
    return regex


def _split_slice(body: str) -> tuple[str, Slice | None]:
    """`web[1:]` → `web` and its slice. What is no slice stays: `w[ab]` is a glob."""
    match = _SUBSCRIPT.fullmatch(body)
    if match is None or (match[2] is None and match[4] is None):
        return body, None
    first = int(match[2] or 0)
    if match[3] is None:
        return match[1], Slice(first, first)
    return match[1], Slice(first, -1 if match[4] is None else int(match[4]))
