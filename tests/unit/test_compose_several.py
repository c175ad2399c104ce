"""Several errors of one Compose file, told together: tests/golden/compose_errors, each FILE.yml with its FILE.out.

ORCH_WRITE_GOLDEN=1 writes those anew, to be read line by line before they are kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orch.cli.main import run_cli
from orch.errors import InputError, InputErrors
from orch.stackfile.compose import read_stack
from orch.stackfile.several import Several

GOLDEN = Path(__file__).parents[1] / "golden/compose_errors"


@pytest.mark.parametrize("case", sorted(GOLDEN.glob("*.yml")), ids=lambda path: path.stem)
def test_all_errors_are_told_in_the_order_of_their_lines(case: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        read_stack([case], name=None, variables={})
    told = str(caught.value).replace(f"{GOLDEN}/", "") + "\n"

    expected = case.with_suffix(".out")
    if "ORCH_WRITE_GOLDEN" in os.environ:
        expected.write_text(told)
    assert told == expected.read_text()


def test_each_has_a_line_of_its_own_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["plan", "-f", str(GOLDEN / "typos.yml")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(f"{GOLDEN}/typos.yml:")[0] for line in said] == ["orch: "] * 5


def test_one_error_is_raised_as_it_is_and_equal_ones_once() -> None:
    errors, wrong = Several(), InputError("c.yml", 3, "is wrong")
    for _ in range(2):
        with errors.part():
            raise InputError("c.yml", 3, "is wrong")

    with pytest.raises(InputError) as caught:
        errors.settle()
    assert type(caught.value) is InputError
    assert str(caught.value) == str(wrong)


def test_without_an_error_nothing_is_raised() -> None:
    errors, done = Several(), []
    with errors.part():
        done.append(1)
    errors.settle()
    assert done == [1]
