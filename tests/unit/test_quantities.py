"""Sizes and CPU shares: what is read, what is refused, what is shown."""

import re

import pytest

from orch.model.quantities import format_cpus, format_memory, parse_cpus, parse_memory, show_memory


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("100", 100),
        ("100b", 100),
        ("100B", 100),
        ("1k", 1024),
        ("1K", 1024),
        ("1kb", 1024),
        ("1KiB", 1024),
        ("1ki", 1024),
        ("512m", 536870912),
        ("1.5g", 1610612736),
        ("2gb", 2147483648),
        ("3t", 3298534883328),
        ("512 m", 536870912),
        ("  64m\n", 67108864),
        ("0.0005k", 0),
        ("1.9b", 1),
    ],
)
def test_memory_is_read_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text", ["", "m", "-1m", "+1m", "1e3", "1,5g", "1.g", ".5g", "1p", "1mm", "1m 2k", "0x10", "1bb", "nan", "1ib"]
)
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"expected a size like 512m or 1.5g, not {text!r}")):
        parse_memory(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0b"),
        (1, "1b"),
        (1023, "1023b"),
        (1024, "1k"),
        (1025, "1025b"),
        (536870912, "512m"),
        (1610612736, "1536m"),
        (1 << 30, "1g"),
        (5 << 40, "5t"),
        (1 << 50, "1024t"),
    ],
)
def test_memory_is_written_in_the_largest_unit_that_is_exact(size: int, text: str) -> None:
    assert format_memory(size) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0b"),
        (1023, "1023b"),
        (1024, "1k"),
        (1536, "1.5k"),
        (325_477_990, "310m"),
        (1_234_567_890, "1.1g"),
        (2 << 30, "2g"),
        (10 << 30, "10g"),
        (3 << 40, "3t"),
    ],
)
def test_memory_is_shown_rounded_to_people(size: int, text: str) -> None:
    assert show_memory(size) == text


@pytest.mark.parametrize(
    ("text", "millicpus"),
    [("0", 0), ("0.5", 500), ("2", 2000), ("0.25", 250), (" 1.5 ", 1500), ("0.001", 1), ("128", 128_000)],
)
def test_cores_are_read_as_thousandths(text: str, millicpus: int) -> None:
    assert parse_cpus(text) == millicpus


@pytest.mark.parametrize(("text", "millicpus"), [("0.0001", 1), ("0.0005", 1), ("1.0001", 1001), ("0.000999999", 1)])
def test_a_share_finer_than_a_thousandth_rounds_up(text: str, millicpus: int) -> None:
    assert parse_cpus(text) == millicpus


@pytest.mark.parametrize("text", ["", "-1", "+1", "1e-3", "half", "0,5", "1.", ".5", "500m", "nan", "inf"])
def test_what_is_no_number_of_cores_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"expected a number of cores like 0.5 or 2, not {text!r}")):
        parse_cpus(text)


@pytest.mark.parametrize(
    ("millicpus", "text"),
    [(0, "0"), (1, "0.001"), (250, "0.25"), (500, "0.5"), (1000, "1"), (10_000, "10"), (1500, "1.5"), (-500, "-0.5")],
)
def test_cores_are_written_without_trailing_zeros(millicpus: int, text: str) -> None:
    assert format_cpus(millicpus) == text
