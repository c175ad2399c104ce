"""YAML whose every value knows the line it stands on, so that an error can say file:line.

Duplicate keys, keys that are not strings and recursive aliases are errors. Values have PyYAML's safe types, `<<`
merges included, but for YAML 1.1's booleans: only `true` and `false` are, as Compose has it, and `yes`, `no`, `on` and
`off` are text, which `boolean` takes all the same, as Ansible does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import NoReturn, TypeAlias, TypeVar

import yaml

from orch.errors import InputError
from orch.model.quantities import parse_cpus, parse_memory
from orch.model.resources import Resources

T = TypeVar("T")
Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = "Scalar | list[Located] | dict[str, Located]"
_BOOL = "tag:yaml.org,2002:bool"
_MERGE = "tag:yaml.org,2002:merge"
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_SURROGATE = re.compile("[\ud800-\udfff]")
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_NUMBER_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float")}
_WHOLE = re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|0o?[0-7]+|0|[1-9][0-9]*)")
_DIGITS = 300  # Far beyond any use, and below the 4,300 from which on Python does not print a number.
_MAX_NODES = 200_000  # Aliases can make a small file denote an endless one.


class Located:
    """One value of a file. `value` is a scalar, a list of Located, or a dict from str to Located; `tag` is the
    format's own tag that it stands under, or empty."""

    __slots__ = ("file", "line", "path", "tag", "value")

    def __init__(self, value: Value, file: str, line: int, path: str, tag: str = "") -> None:
        self.value, self.file, self.line, self.path, self.tag = value, file, line, path, tag

    def with_value(self, value: Value) -> Located:
        """Another value for the same place."""
        return Located(value, self.file, self.line, self.path, self.tag)

    def fail(self, message: str) -> NoReturn:
        """Raises InputError for this place."""
        where = f"{self.path}: " if self.path else ""
        raise InputError(self.file, self.line, f"{where}{message}")

    def expected(self, what: str) -> NoReturn:
        self.fail(f"expected {what}, not {self.describe()}")

    def describe(self) -> str:
        match self.value:
            case dict():
                return "a mapping"
            case list():
                return "a list"
            case None:
                return "nothing"
            case bool():
                return "true" if self.value else "false"
            case Numeral():
                return self.value if len(self.value) < 60 else self.value[:57] + "…"
            case str():
                return repr(self.value if len(self.value) < 60 else self.value[:57] + "…")
            case number:
                return str(number)

    def mapping(self, *, known: Collection[str] | None = None) -> dict[str, Located]:
        """The entries of a mapping; nothing at all counts as an empty one. Keys outside `known` are errors."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.expected("a mapping")
        for key, entry in self.value.items():
            if known is not None and key not in known:
                raise InputError(
                    entry.file,
                    entry.line,
                    f"{entry.path}: unknown key; known here: {', '.join(sorted(known))}",
                )
        return self.value

    def items(self) -> list[Located]:
        if not isinstance(self.value, list):
            self.expected("a list")
        return self.value

    def string(self) -> str:
        """A scalar as text: numbers and booleans count as they are commonly written."""
        match self.value:
            case str():
                return str(self.value)
            case bool():
                return "true" if self.value else "false"
            case float() if math.isfinite(self.value):
                return f"{Decimal(repr(self.value)):f}"  # 0.00001, and not 1e-05
            case int() | float():
                return str(self.value)
            case _:
                self.expected("a string")

    def integer(self, *, least: int = 0) -> int:
        value = self.value
        if isinstance(value, Numeral):
            value = value.whole()
        elif isinstance(value, str) and len(value) < _DIGITS and re.fullmatch(r"\s*-?[0-9]+\s*", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self.expected(f"a whole number from {least}")
        return value

    def boolean(self) -> bool:
        if isinstance(self.value, bool):
            return self.value
        text = self.value.lower() if isinstance(self.value, str) else ""
        if text not in _BOOLEANS:
            self.expected("true or false")
        return _BOOLEANS[text]

    def parsed(self, parse: Callable[[str], T]) -> T:
        """The text as `parse` reads it; its ValueError becomes an InputError for this place."""
        try:
            return parse(self.string())
        except ValueError as error:
            self.fail(str(error))

    def plain(self) -> object:
        """The value without its places, as yaml.safe_load would give it."""
        match self.value:
            case dict():
                return {key: entry.plain() for key, entry in self.value.items()}
            case list():
                return [entry.plain() for entry in self.value]
            case Verbatim() | Numeral():
                return str(self.value)
            case scalar:
                return scalar


class Verbatim(str):
    """Text that stands under one of a format's own tags."""


class Numeral(str):
    """A number as its file writes it: `0440`, `1.10`, `22:22`, which YAML 1.1 would make other numbers of."""

    def whole(self) -> int | None:
        """With a base as in `0440`, `0o440`, `0x120`; None when it is no whole number, or an absurdly long one."""
        digits = self.replace("_", "")
        if _WHOLE.fullmatch(digits) is None or len(digits) >= _DIGITS:
            return None
        octal = re.fullmatch(r"([-+]?)0o?([0-7]+)", digits)
        return int(octal[1] + octal[2], 8) if octal else int(digits, 0)


def read_located(path: Path, *, tags: Collection[str] = (), written: bool = False) -> Located:
    """One YAML document. Raises InputError when it cannot be read or is not YAML."""
    return parse_located(read_text(path), str(path), tags=tags, written=written)


def read_text(path: Path) -> str:
    """Raises InputError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(path, None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(path, None, f"is not UTF-8 text (byte {error.start})") from error


def read_resources(place: Located) -> Resources:
    """`{cpus: 0.5, memory: 512m}`, either of which may be missing."""
    entries = place.mapping(known=("cpus", "memory"))
    return Resources(
        entries["cpus"].parsed(parse_cpus) if "cpus" in entries else 0,
        entries["memory"].parsed(parse_memory) if "memory" in entries else 0,
    )


def parse_located(text: str, file: str, *, tags: Collection[str] = (), written: bool = False) -> Located:
    """`file` is only a name for error messages. What stands under one of `tags` knows its tag, and scalars among it
    are read as Verbatim text. With `written`, numbers are read as Numerals, and dates
    as text unseen."""
    try:
        loader, node = _compose(text)
        return Located(None, file, 1, "") if node is None else _Builder(loader, file, tags, written).build(node, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(file, mark.line + 1 if mark else None, error.problem or error.context or "not YAML") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(file, line, f"not YAML: {error.reason}") from None
    except RecursionError:
        raise InputError(file, None, "is nested too deeply") from None


_RESOLVERS = {
    first: [(tag, form) for tag, form in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _first in "tTfF":
    # Anchored: the resolver matches from the start on, and `trueish` is text.
    _RESOLVERS[_first] = [(_BOOL, re.compile("^(?:true|True|TRUE|false|False|FALSE)$")), *_RESOLVERS.get(_first, [])]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the booleans of YAML 1.2."""

    yaml_implicit_resolvers = _RESOLVERS


_FAST = (
    type("_FastLoader", (yaml.CSafeLoader,), {"yaml_implicit_resolvers": _RESOLVERS}) if yaml.__with_libyaml__ else None
)
"""The same over libyaml, ten times as fast, where PyYAML was built with it."""


def _compose(text: str) -> tuple[yaml.SafeLoader, yaml.Node | None]:
    """The one document of a text, and what makes values of its nodes."""
    if _FAST is not None:
        with suppress(yaml.YAMLError):
            fast = _FAST(text)
            return fast, fast.get_single_node()
    # What libyaml refuses is read again, so that an error has the same words on every machine.
    loader = _Loader(text)
    return loader, loader.get_single_node()


class _Builder:
    def __init__(self, loader: yaml.SafeLoader, file: str, tags: Collection[str], written: bool) -> None:
        self._loader, self._file, self._tags, self._written = loader, file, tags, written
        self._open: set[int] = set()
        self._built = 0

    def build(self, node: yaml.Node, path: str) -> Located:
        line = node.start_mark.line + 1
        self._built += 1
        if id(node) in self._open:
            raise InputError(self._file, line, f"{path}: contains itself")
        if self._built > _MAX_NODES:
            raise InputError(self._file, line, f"{path}: more than {_MAX_NODES} values; too many aliases?")
        self._open.add(id(node))
        try:
            return Located(self._value(node, path), self._file, line, path, node.tag if node.tag in self._tags else "")
        finally:
            self._open.remove(id(node))

    def _value(self, node: yaml.Node, path: str) -> Value:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(entry, f"{path}[{index}]") for index, entry in enumerate(node.value)]
        if node.tag in self._tags:
            return Verbatim(node.value)
        if self._written and node.tag in _NUMBER_TAGS:
            return Numeral(node.value)
        if self._written and node.tag == _TIMESTAMP:
            return str(node.value)
        try:
            value = self._loader.construct_object(node, deep=True)
        except ValueError as error:
            self._fail(node, path, str(error))
        except (LookupError, AttributeError, ArithmeticError):
            # PyYAML's own slips over scalars that do not fit their tag.
            self._fail(node, path, f"{node.value!r} is no {node.tag.rpartition(':')[2]}")
        if isinstance(value, int) and abs(value) >= 10**_DIGITS:
            self._fail(node, path, f"is a number of more than {_DIGITS} digits")
        if isinstance(value, str) and _SURROGATE.search(value):
            self._fail(node, path, "contains half of a surrogate pair")
        # Dates, binaries and sets are no values of the formats read here: their text is.
        return value if isinstance(value, str | int | float | bool | None) else str(node.value)

    def _fail(self, node: yaml.Node, path: str, message: str) -> NoReturn:
        Located(None, self._file, node.start_mark.line + 1, path).fail(message)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Located]:
        merged: dict[str, Located] = {}
        own: dict[str, Located] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for source in self._merge_sources(value_node, path):
                    merged = {**source, **merged}
                continue
            key, line = self._key(key_node, path)
            place = f"{path}.{key}" if path else key
            if key in own:
                raise InputError(self._file, line, f"{place}: stands twice, first on line {own[key].line}")
            entry = self.build(value_node, place)
            own[key] = Located(entry.value, self._file, line, place, entry.tag)
        return {**merged, **own}

    def _merge_sources(self, node: yaml.Node, path: str) -> Iterator[dict[str, Located]]:
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            yield self.build(source, path).mapping()

    def _key(self, node: yaml.Node, path: str) -> tuple[str, int]:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            raise InputError(self._file, line, f"{path or 'top level'}: a key must be a plain word")
        if _SURROGATE.search(node.value):
            self._fail(node, path, "a key contains half of a surrogate pair")
        # As written: `on:` and `22:` are names here, not a boolean and a number.
        return node.value, line
