"""Wrong entries of a service, each with its place and what was expected: tests/golden/compose_refusals.txt.

There, each block is what stands in a service from line 4 on, and then the error without its file; ORCH_WRITE_GOLDEN=1
writes the errors anew, to be read line by line before they are kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orch.errors import InputError
from orch.located import parse_located
from orch.stackfile.compose import build_stack
from orch.stackfile.shapes import TAGS

GOLDEN = Path(__file__).parents[1] / "golden/compose_refusals.txt"
ARROW = "→ "
REST = """\
  other: {image: app}
volumes: {data: }
networks: {n: }
configs: {c: {content: x}, both: {content: x}}
secrets:
  both: {environment: SET}
  unset: {environment: UNSET}
  external: {external: true}
  empty: {}
  twofold: {file: a, environment: b}
"""


def cases() -> list[tuple[str, str]]:
    blocks = GOLDEN.read_text().split("\n\n")
    return [(entry, message.strip()) for entry, _, message in (block.partition(ARROW) for block in blocks)]


def refused(entry: str) -> str:
    indented = "".join(f"    {line}\n" for line in entry.splitlines())
    text = f"services:\n  web:\n    image: app\n{indented}{REST}"
    document = parse_located(text, "c.yml", tags=TAGS, written=True)
    with pytest.raises(InputError) as caught:
        build_stack(document, name=None, fallback="folder", variables={"SET": "x"})
    return str(caught.value).removeprefix("c.yml:")


@pytest.mark.parametrize(("entry", "message"), cases(), ids=[entry.strip() for entry, _ in cases()])
def test_a_wrong_entry_is_refused_with_its_place(entry: str, message: str) -> None:
    assert refused(entry) == message


def test_the_cases_are_as_they_would_be_written() -> None:
    written = "\n\n".join(f"{entry}{ARROW}{refused(entry)}" for entry, _ in cases()) + "\n"

    if "ORCH_WRITE_GOLDEN" in os.environ:
        GOLDEN.write_text(written)
    assert written == GOLDEN.read_text()
