"""Kills, power cuts and rot in their short forms; `./scripts/soak store` has the long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.kills import kill_writers
from tests.crash.power import MUTATIONS, cut_power, workplace
from tests.crash.rot import Rotten
from tests.crash.work import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


def test_a_killed_writer_loses_nothing_that_it_told_of(tmp_path: Path, model: Model) -> None:
    tally = kill_writers(tmp_path / "state", model, kills=40, seed=1)

    assert tally.wrong == ""
    assert tally.acknowledged > 100
    assert tally.compactions > 20
    assert tally.reads >= 40


def test_whatever_a_power_cut_leaves_holds_all_that_was_acknowledged(model: Model) -> None:
    tally = cut_power(model, images=1000, seed=1)

    assert (tally.wrong, tally.images) == ("", 1000)


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_store_that_does_it_wrong_is_caught(model: Model, name: str) -> None:
    assert cut_power(model, images=4000, seed=1, mutation=MUTATIONS[name]).wrong != ""


def test_a_changed_byte_or_length_of_any_file_is_found_or_does_no_harm() -> None:
    with workplace() as place:
        found = Rotten(place / "state", patterns=(0x20,), meanings=b"").change_all()

    assert found.wrong == []
    assert found.refused > 3500


def test_a_changed_byte_of_the_last_commit_is_no_torn_write_even_without_a_witness() -> None:
    with workplace() as place:
        found = Rotten(place / "state", patterns=(0x01,), meanings=b"").change_without_witness()

    assert (found.wrong, found.refused) == ([], found.looked_at)
    assert found.looked_at > 1000
