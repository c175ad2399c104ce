"""The Compose files of tests/golden/compose."""

from __future__ import annotations

from pathlib import Path

from orch.stackfile.compose import StackFile, read_stack

GOLDEN = Path(__file__).parents[1] / "golden/compose"
VARIABLES = {"HOME": "/home/op", "SHELL_TOKEN": "from the shell"}
_PROFILES = {"profiles": ["debug"]}


def cases() -> list[str]:
    """The folders' names."""
    return sorted(str(path.parent.relative_to(GOLDEN)) for path in GOLDEN.rglob("expected.out"))


def paths_of(case: str) -> list[Path]:
    return [path for name in ("compose.yml", "override.yml") if (path := GOLDEN / case / name).exists()]


def read_case(case: str) -> StackFile:
    return read_stack(paths_of(case), name=None, variables=VARIABLES, profiles=_PROFILES.get(case, ()))
