"""What holds of quantities, host ranges and host patterns, whatever they are."""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from orch.inventory.matching import match_hosts
from orch.inventory.ranges import expand_range
from orch.model.quantities import format_cpus, format_memory, parse_cpus, parse_memory

moderately = settings(max_examples=150, deadline=None)


@moderately
@given(st.integers(0, 1 << 60))
def test_memory_that_is_written_reads_back(size: int) -> None:
    assert parse_memory(format_memory(size)) == size


@moderately
@given(st.integers(0, 10**12 - 1))
def test_cores_that_are_written_read_back(millicpus: int) -> None:
    assert parse_cpus(format_cpus(millicpus)) == millicpus


@moderately
@given(st.decimals(0, 1000, places=6))
def test_a_share_is_never_read_as_less_and_never_as_a_thousandth_more(cores: Decimal) -> None:
    assert 0 <= parse_cpus(f"{cores:f}") - cores * 1000 < 1


@moderately
@given(st.text() | st.from_regex(r"\A[-+]?[0-9]{1,20}[.,]?[0-9]{0,20} ?[a-zA-Z]{0,3}\Z"))
def test_a_quantity_is_a_whole_number_or_a_value_error(text: str) -> None:
    for parse in (parse_memory, parse_cpus):
        with suppress(ValueError):
            assert parse(text) >= 0


@st.composite
def ranges(draw: st.DrawFn) -> tuple[str, int, re.Pattern[str]]:
    """A name of up to three ranges, how many names it stands for, and the form of each."""
    written, count, form = "w", 1, "w"
    for _ in range(draw(st.integers(0, 3))):
        step = draw(st.integers(1, 4))
        members = draw(st.integers(1, 12))
        if draw(st.booleans()):
            first = draw(st.integers(0, 2000))
            last, width = first + (members - 1) * step, draw(st.integers(1, 6))
            written += f"-[{first:0{width}d}:{last}:{step}]"
            form += rf"-\d{{{width if first < 10 ** (width - 1) else 1},}}"
        else:
            members = min(members, 25 // step + 1)
            written += f"-[a:{chr(ord('a') + (members - 1) * step)}:{step}]"
            form += "-[a-z]"
        count *= members
    return written, count, re.compile(form)


@moderately
@given(ranges())
def test_a_range_stands_for_as_many_distinct_names_as_it_says(written: tuple[str, int, re.Pattern[str]]) -> None:
    text, count, form = written
    names = expand_range(text)

    assert (len(names), len(set(names))) == (count, count)
    assert [name for name in names if form.fullmatch(name) is None] == []


@moderately
@given(st.text() | st.from_regex(r"\A[a-z]?(\[[0-9a-zA-Z]{0,22}:[0-9a-zA-Z]{0,22}(:[0-9]{0,3})?\]){1,3}\Z"))
def test_any_text_is_names_of_hosts_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert [name for name in expand_range(text) if set(name) & set("[] \n,")] == []


HOSTS = [f"h{n}" for n in range(6)]
group_maps = st.dictionaries(
    st.sampled_from(["web", "db", "odd", "none"]), st.lists(st.sampled_from(HOSTS), unique=True), min_size=1
).map(lambda groups: {**groups, "all": HOSTS})


@st.composite
def named(draw: st.DrawFn) -> tuple[dict[str, list[str]], list[str]]:
    """Groups, and some parts of patterns that name them, hosts, or several."""
    groups = draw(group_maps)
    parts = draw(st.lists(st.sampled_from([*groups, *HOSTS, "h*", "?eb", "*"]), min_size=3, max_size=3))
    return groups, parts


@moderately
@given(named(), st.permutations(range(3)))
def test_the_order_of_a_patterns_parts_does_not_matter(
    given_: tuple[dict[str, list[str]], list[str]], order: list[int]
) -> None:
    groups, parts = given_
    for signs in (("", "", ""), ("", "&", "!"), ("", "!", "!"), ("&", "&", "!")):
        signed = [sign + part for sign, part in zip(signs, parts, strict=True)]
        expected = match_hosts(",".join(signed), HOSTS, groups)

        assert match_hosts(":".join(signed[i] for i in order), HOSTS, groups) == expected


@moderately
@given(named())
def test_patterns_are_the_operations_on_sets(given_: tuple[dict[str, list[str]], list[str]]) -> None:
    groups, (a, b, _) = given_

    def match(pattern: str) -> list[str]:
        return match_hosts(pattern, HOSTS, groups)

    assert match("all") == HOSTS
    assert match(f"{a},{b}") == [h for h in HOSTS if h in match(a) or h in match(b)]
    assert match(f"{a},&{b}") == [h for h in HOSTS if h in match(a) and h in match(b)]
    assert match(f"{a},!{b}") == [h for h in HOSTS if h in match(a) and h not in match(b)]
    assert match(f"all,!{a}") == match(f"!{a}") == [h for h in HOSTS if h not in match(a)]
    assert match(f"{a},!{a}") == []


@moderately
@given(st.text() | st.text(alphabet="h0web,:&!*?[]- "))
def test_any_pattern_names_hosts_in_order_or_is_a_value_error(pattern: str) -> None:
    with suppress(ValueError):
        found = match_hosts(pattern, HOSTS, {"all": HOSTS, "web": HOSTS[:2]})
        assert found == [h for h in HOSTS if h in found]
