"""What a benchmark measured, for people and for programs."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec


class Figure(msgspec.Struct, frozen=True):
    """`values`: one for each run, in `unit`."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


class Bar(msgspec.Struct, frozen=True):
    """A promise: `value` stays at or below `limit`."""

    what: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


class Report(msgspec.Struct, frozen=True):
    """The outcome of one benchmark."""

    bench: str
    figures: Sequence[Figure]
    bars: Sequence[Bar]

    def print(self, *, as_json: bool) -> None:
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(self._data()), indent=2))
            return
        click.echo(f"{self.bench}: {', '.join(f'{k} {v}' for k, v in machine().items())}\n")
        click.echo(f"{'':<44} {'median':>10} {'least':>10} {'most':>10}  unit   runs")
        for f in self.figures:
            low, high = min(f.values), max(f.values)
            click.echo(f"{f.name:<44} {f.median:>10.4g} {low:>10.4g} {high:>10.4g}  {f.unit:<6} {len(f.values)}")
        click.echo("")
        for bar in self.bars:
            click.echo(f"{'holds' if bar.holds else 'FAILS'}  {bar.what}: {bar.value:.4g}, limit {bar.limit:g}")

    def _data(self) -> dict[str, object]:
        return {
            "bench": self.bench,
            "machine": machine(),
            "figures": {
                f.name: {
                    "median": f.median,
                    "min": min(f.values),
                    "max": max(f.values),
                    "unit": f.unit,
                    "runs": len(f.values),
                }
                for f in self.figures
            },
            "bars": [{"what": b.what, "value": b.value, "limit": b.limit, "holds": b.holds} for b in self.bars],
        }


def machine() -> dict[str, str]:
    """What the figures were measured on, and when."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": str(os.cpu_count()),
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
