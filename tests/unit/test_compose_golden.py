"""Every key of a Compose file, and what becomes of it, in files.

What a folder of tests/golden/compose says is in its expected.out; ORCH_WRITE_GOLDEN=1 writes those anew, to be read
line by line before they are kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.located import Located
from orch.stackfile import disk
from orch.stackfile.compose import StackFile, read_stack
from orch.stackfile.keys import STACK
from orch.stackfile.render import render_stack
from orch.stackfile.shapes import Shape, shaped
from tests.unit.golden import GOLDEN, VARIABLES, cases, paths_of, read_case


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_file_reads_as_it_did(case: str) -> None:
    stack = read_case(case)
    found = _told(stack).replace(str(GOLDEN / case), "/project").replace(str(GOLDEN), "/golden")

    expected = GOLDEN / case / "expected.out"
    if "ORCH_WRITE_GOLDEN" in os.environ:
        expected.write_text(found)
    assert found == expected.read_text()


@pytest.mark.parametrize("case", cases(), ids=str)
def test_what_is_printed_reads_as_the_same_stack(case: str, tmp_path: Path) -> None:
    stack = read_case(case)
    printed = tmp_path / "compose.yml"
    printed.write_text(render_stack(stack))

    again = read_stack([printed], name=None, variables=VARIABLES)

    assert again.spec == stack.spec
    assert render_stack(again) == render_stack(stack)


def test_no_secret_is_printed() -> None:
    stack = read_case("files")
    printed = _told(stack)

    for file in stack.spec.files:
        if file.kind == "secret":
            assert file.content.decode() not in printed
            assert file.digest not in printed


def test_every_key_stands_in_some_file() -> None:
    told = {path for case in cases() for file in paths_of(case) for path in _paths(_shaped(file), STACK)}

    assert " ".join(sorted(set(_known(STACK)) - told)) == ""


def _told(stack: StackFile) -> str:
    return "".join(f"{warning}\n" for warning in stack.warnings) + render_stack(stack)


def _shaped(file: Path) -> Located:
    return shaped(disk.read_document(file), STACK)


def _known(shape: Shape, path: str = "") -> Iterator[str]:
    """The paths of all keys there are, with * for names."""
    for key, inner in (shape.keys or {}).items():
        yield f"{path}.{key}"
        yield from _known(inner, f"{path}.{key}")
    for within in (shape.names, shape.items):
        if within is not None:
            yield from _known(within, f"{path}.*")


def _paths(place: Located, shape: Shape, path: str = "") -> Iterator[str]:
    """The same, of what a file has."""
    match place.value:
        case dict():
            for key, entry in place.value.items():
                named = shape.keys is not None and key in shape.keys
                known = (shape.keys or {}).get(key) or shape.names
                assert known is not None
                step = f"{path}.{key if named else '*'}"
                if named:
                    yield step
                yield from _paths(entry, known, step)
        case list():
            assert shape.items is not None
            for item in place.value:
                yield from _paths(item, shape.items, f"{path}.*")
