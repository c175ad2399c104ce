"""Values that several keys have: durations, sizes, counts, modes, lists and mappings of texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from orch.located import Located, Numeral
from orch.model.quantities import parse_cpus, parse_memory

T = TypeVar("T")
D = TypeVar("D")
MOST = 2**63 - 1
"""What fits the integers of podman, of the kernel and of the store."""

_DURATION = re.compile(r"([0-9]{1,16}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {
    "ns": Decimal("0.000000001"),
    "us": Decimal("0.000001"),
    "µs": Decimal("0.000001"),
    "μs": Decimal("0.000001"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_LONGEST = 9_000_000_000
"""Seconds, 285 years: podman counts nanoseconds in 64 bits."""


def optional(entries: Mapping[str, Located], key: str, read: Callable[[Located], T], default: D) -> T | D:
    """What `read` makes of a key; `default` where it is missing or says nothing."""
    return read(entries[key]) if key in entries and entries[key].value is not None else default


def section(entries: Mapping[str, Located], key: str) -> Mapping[str, Located]:
    """The entries of a mapping within; none where it is missing."""
    return optional(entries, key, lambda place: place.mapping(), {})


def items(entries: Mapping[str, Located], key: str) -> list[Located]:
    """The items of a list within that say something."""
    return [item for item in optional(entries, key, lambda p: p.items(), []) if item.value is not None]


def text(place: Located) -> str:
    return place.string()


def flag(place: Located) -> bool:
    return place.boolean()


def one_of(*words: str) -> Callable[[Located], str]:
    """Reads one of these words."""

    def read(place: Located) -> str:
        if place.string() not in words:
            place.expected(f"{', '.join(words[:-1])} or {words[-1]}")
        return place.string()

    return read


def texts(place: Located) -> tuple[str, ...]:
    """In their order, each once."""
    return tuple(dict.fromkeys(item.string() for item in place.items() if item.value is not None))


def pairs(place: Located) -> dict[str, str]:
    """Sorted; a key without a value has an empty one."""
    found = {}
    for key, entry in place.mapping().items():
        if not key:
            entry.fail("has no name before its =")
        found[key] = "" if entry.value is None else entry.string()
    return dict(sorted(found.items()))


def whole(least: int = 0, most: int = MOST) -> Callable[[Located], int]:
    """Reads a whole number within these bounds."""

    def read(place: Located) -> int:
        number = place.integer(least=least)
        if number > most:
            place.expected(f"at most {most}")
        return number

    return read


def seconds(place: Located) -> float:
    """`1m30s` → 90.0."""
    return float(exact_seconds(place))


def exact_seconds(place: Located) -> Decimal:
    written = place.string()
    parts = _DURATION.findall(written)
    if written == "0":
        return Decimal(0)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != written:
        place.expected("a duration like 10s or 1m30s")
    total = sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0))
    if total > _LONGEST:
        place.expected("a duration of less than 285 years")
    return total


def size(place: Located) -> int:
    """Bytes."""
    whole = place.value.whole() if isinstance(place.value, Numeral) else None
    found = place.parsed(parse_memory) if whole is None or whole < 0 else whole
    if found > MOST:
        place.expected("a size that memory can have")
    return found


def size_or_unlimited(place: Located) -> int:
    """Bytes; -1 for no limit."""
    return -1 if place.string() == "-1" else size(place)


def millicpus(place: Located) -> int:
    return place.parsed(parse_cpus)


def mode(place: Located) -> int:
    """The permissions of a file: octal in quotes or with a leading 0. As in Compose, a bare 288 is 0440."""
    written = place.string()
    number: int | None
    if isinstance(place.value, Numeral):
        number = place.value.whole()
    else:
        number = int(written.removeprefix("0o"), 8) if re.fullmatch("(?:0o)?[0-7]{1,6}", written) else None
    if number is None or not 0 <= number <= _ALL_BITS:
        place.expected('permissions like 0440 or "0440"')
    return number


_ALL_BITS = 0o7777


def container_path(place: Located) -> str:
    """An absolute path, without `.` and a slash at its end."""
    written = place.string()
    if not written.startswith("/"):
        place.expected("an absolute path in the container")
    parts = [part for part in written.split("/") if part not in {"", "."}]
    if ".." in parts:
        place.expected("a path without ..")
    if not parts:
        place.expected("a path below /")
    return "/" + "/".join(parts)
