"""What may stand where in a Compose file, as data, and bringing a file into one form by it.

A Shape says which kinds of values a key takes, which keys they have in turn, and what a reader is told when nothing is
made of the key. `shaped` refuses whatever does not fit and rewrites short forms as long ones, so that merging and
reading meet one form only. keys.py has the shapes of all keys.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Literal, NoReturn

import msgspec

from orch.errors import InputError
from orch.located import Located, Value
from orch.stackfile.notices import Notices
from orch.stackfile.several import Several

RESET, OVERRIDE = "!reset", "!override"
TAGS = (RESET, OVERRIDE)
OURS = "x-orch"
LATER = "is not acted on yet"
_STRAY = re.compile("[\ud800-\udfff]")
_FEW = 20
"""Keys that an error can list."""


class Shape(msgspec.Struct, frozen=True):
    """Several of `scalar`, `items`, `keys` and `names` may be allowed at once.

    `items`: what a list has; `keys`: a mapping with these keys and `x-…`; `names`: a mapping whose keys are free.
    `short`: what another form is rewritten as, see `_REWRITES`. `entry`: the key that a lone text stands for.
    `replace`: a later file's value takes the place of an earlier one's, instead of being merged with it.
    `said`: the warning for a key that is read and not acted on.
    """

    scalar: bool = False
    items: Shape | None = None
    keys: Mapping[str, Shape] | None = None
    names: Shape | None = None
    short: Literal["", "pairs", "hosts", "names", "list", "entry"] = ""
    entry: str = ""
    defaults: Mapping[str, str] = {}
    replace: bool = False
    said: str = ""

    def but(self, said: str) -> Shape:
        """The same, and nothing is made of it."""
        return msgspec.structs.replace(self, said=said)


def shaped(place: Located, shape: Shape) -> Located:
    """The value in the one form that is read. Raises InputError for keys and kinds of values that do not belong."""
    if place.tag == RESET or place.value is None:
        return place.with_value(None)
    if shape.short:
        place = _REWRITES[shape.short](place, shape)
    match place.value:
        case dict() as entries:
            return place.with_value(_shaped_mapping(place, entries, shape))
        case list() as items:
            if shape.items is None:
                _wrong_kind(place, shape)
            return place.with_value([shaped(item, shape.items) for item in items])
        case str() as text if trouble := trouble_of(text):
            place.fail(trouble)
        case _ if not shape.scalar:
            _wrong_kind(place, shape)
    return place


def trouble_of(text: str) -> str:
    """Why no node could be told this; empty when one could."""
    if "\0" in text:
        return "contains a NUL character"
    # Python's way to keep what comes from the environment and is not UTF-8.
    return "contains bytes that are no text, from a variable" if _STRAY.search(text) else ""


def notice_unused(place: Located, shape: Shape, notices: Notices, key: str = "") -> None:
    """Says once of each key that has something to say, that nothing is made of it."""
    if shape.said and place.value is not None:
        notices.add(place, f"{key}: {shape.said}", shape.said)
        return
    match place.value:
        case dict() as entries:
            for name, entry in entries.items():
                inner = (shape.keys or {}).get(name) or shape.names
                if inner is not None:
                    notice_unused(entry, inner, notices, name)
        case list() as items if shape.items is not None:
            for item in items:
                notice_unused(item, shape.items, notices, key)


def _shaped_mapping(place: Located, entries: Mapping[str, Located], shape: Shape) -> dict[str, Located]:
    if shape.keys is None and shape.names is None:
        _wrong_kind(place, shape)
    found = {}
    errors = Several()
    for key, entry in entries.items():
        with errors.part():
            if (inner := _shape_of(place, key, entry, shape)) is not None:
                found[key] = shaped(entry, inner)
    errors.settle()
    return found


def _shape_of(place: Located, key: str, entry: Located, shape: Shape) -> Shape | None:
    """None for a key that is the writer's own."""
    if shape.keys is not None and key.startswith("x-") and key not in shape.keys:
        if key == OURS:
            entry.fail(f"{OURS} has its place in a service, services.NAME.{OURS}")
        return None
    if "\0" in key:
        Located(None, entry.file, entry.line, place.path).fail("has a key that contains a NUL character")
    inner = (shape.keys or {}).get(key) or shape.names
    if inner is None:
        _unknown(entry, key, shape.keys or {})
    return inner


def _unknown(entry: Located, key: str, known: Mapping[str, Shape]) -> NoReturn:
    under = [name for name, shape in known.items() if key in (shape.keys or {})]
    near = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=2, cutoff=0.75)
    if under:
        advice = f"it has its place under {' or '.join(under)}"
    elif near:
        advice = f"did you mean {' or '.join(near)}?"
    elif len(known) <= _FEW:
        advice = f"known here: {', '.join(sorted(known))}"
    else:
        advice = "Compose has no such key here; what is your own begins with x-"
    raise InputError(entry.file, entry.line, f"{entry.path}: unknown key; {advice}")


def _wrong_kind(place: Located, shape: Shape) -> NoReturn:
    kinds = [
        ("a string", shape.scalar or shape.short in {"entry", "list"}),
        ("a list", shape.items is not None or shape.short in {"pairs", "hosts", "names"}),
        ("a mapping", shape.keys is not None or shape.names is not None or shape.short == "hosts"),
    ]
    place.expected(" or ".join(kind for kind, allowed in kinds if allowed))


def _as_pairs(place: Located, shape: Shape) -> Located:
    """[A=b, C] → {A: b, C: }."""
    if not isinstance(place.value, list):
        return place
    pairs: dict[str, Located] = {}
    for item in place.value:
        if item.tag == RESET or item.value is None:
            continue
        key, equals, value = item.string().partition("=")
        pairs[key] = item.with_value(value if equals else None)
    return place.with_value(pairs)


def _as_hosts(place: Located, shape: Shape) -> Located:
    """{host: ip, other: [ip, ip]} → [host=ip, other=ip, other=ip]."""
    if not isinstance(place.value, dict):
        return place
    pairs = [
        entry.with_value(f"{name}={address.string()}")
        for name, entry in place.value.items()
        for address in (entry.value if isinstance(entry.value, list) else [entry])
    ]
    return place.with_value(pairs)


def _as_names(place: Located, shape: Shape) -> Located:
    """[a, b] → {a: , b: }, each with the shape's defaults."""
    if not isinstance(place.value, list):
        return place
    found: dict[str, Located] = {}
    for item in place.value:
        values: Value = {key: item.with_value(text) for key, text in shape.defaults.items()} or None
        found[item.string()] = item.with_value(values)
    return place.with_value(found)


def _as_list(place: Located, shape: Shape) -> Located:
    """a → [a]."""
    if isinstance(place.value, list) or (isinstance(place.value, dict) and (shape.keys or not _takes_mappings(shape))):
        return place
    return place.with_value([Located(place.value, place.file, place.line, place.path)])


def _takes_mappings(shape: Shape) -> bool:
    return shape.items is not None and shape.items.keys is not None


def _as_entry(place: Located, shape: Shape) -> Located:
    """a → {entry: a}."""
    if isinstance(place.value, dict | list):
        return place
    return place.with_value({shape.entry: Located(place.value, place.file, place.line, place.path)})


_REWRITES: Mapping[str, Callable[[Located, Shape], Located]] = {
    "pairs": _as_pairs,
    "hosts": _as_hosts,
    "names": _as_names,
    "list": _as_list,
    "entry": _as_entry,
}
