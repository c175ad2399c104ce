"""Sizes and CPU shares as Compose writes them: `512m`, `1.5g`, `0.5`.

Memory is held in bytes, CPU in thousandths of a core, both as int, so that sums are exact.
"""

import math
import re
from decimal import Decimal

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MEMORY = re.compile(r"(\d{1,20}(?:\.\d{1,9})?)\s*(?:([kmgt])i?b?|b)?", re.IGNORECASE)
_CPUS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")


def parse_memory(text: str) -> int:
    """`512m` → 536870912. Units b, k, m, g, t (also kb, KiB …) are powers of 1024; no unit means bytes.

    Raises ValueError, whose text says what was expected.
    """
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected a size like 512m or 1.5g, not {text!r}")
    return int(Decimal(match[1]) * _UNITS[(match[2] or "").lower()])


def format_memory(size: int) -> str:
    """The shortest exact form that `parse_memory` reads back: 536870912 → `512m`."""
    for unit in "tgmk":
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{size}b"


def show_memory(size: int) -> str:
    """For people, rounded: 1234567890 → `1.1g`, 310.4 MiB → `310m`."""
    for unit in "tgmk":
        if size >= _UNITS[unit]:
            amount = size / _UNITS[unit]
            return f"{amount:.1f}".removesuffix(".0") + unit if amount < 10 else f"{amount:.0f}{unit}"
    return f"{size}b"


def parse_cpus(text: str) -> int:
    """Cores to millicores: `0.5` → 500. Finer than a thousandth rounds up, so that a request is never lost.

    Raises ValueError, whose text says what was expected.
    """
    if _CPUS.fullmatch(text.strip()) is None:
        raise ValueError(f"expected a number of cores like 0.5 or 2, not {text!r}")
    return math.ceil(Decimal(text.strip()) * 1000)


def format_cpus(millicpus: int) -> str:
    """Millicores to cores, without trailing zeros: 500 → `0.5`, 2000 → `2`."""
    return f"{Decimal(millicpus) / 1000:f}".rstrip("0").rstrip(".") if millicpus % 1000 else str(millicpus // 1000)
