"""YAML that knows its lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import pytest

from orch.errors import InputError
from orch.located import Located, Verbatim, parse_located, read_located, read_resources
from orch.model.resources import Resources


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_located(text, "f.yml")
    return str(caught.value)


def entry(text: str, key: str = "k") -> Located:
    return parse_located(text, "f.yml").mapping()[key]


def test_every_value_knows_its_file_its_line_and_its_path() -> None:
    servers = entry("a: 1\nservers:\n  - name: x\n  -\n    name: y\n", "servers")
    second = servers.items()[1].mapping()["name"]

    assert (servers.file, servers.line, servers.path) == ("f.yml", 2, "servers")
    assert (second.value, second.line, second.path) == ("y", 5, "servers[1].name")


def test_an_entry_stands_on_the_line_of_its_key() -> None:
    assert entry("a: 1\nk:\n\n  - 1\n").line == 2


@pytest.mark.parametrize("text", ["", "# only a comment\n", "~"])
def test_an_empty_document_is_nothing_on_line_one(text: str) -> None:
    document = parse_located(text, "f.yml")

    assert (document.value, document.line, document.path) == (None, 1, "")
    assert document.mapping() == {}


def test_plain_gives_back_the_values_alone() -> None:
    text = "a: [1, 2.5, true, ~, text]\nb: {c: {d: x}}\n"

    assert parse_located(text, "f.yml").plain() == {"a": [1, 2.5, True, None, "text"], "b": {"c": {"d": "x"}}}


def test_keys_are_read_as_they_are_written() -> None:
    assert list(parse_located("on: 1\n22: 2\nnull: 3\n1.50: 4\n", "f").mapping()) == ["on", "22", "null", "1.50"]


def test_dates_are_text() -> None:
    assert entry("k: 2024-01-02").value == "2024-01-02"


def test_merged_keys_give_way_to_own_ones_and_earlier_sources_to_none() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nk:\n  z: 3\n  <<: [*a, *b]\n"

    assert entry(text).plain() == {"x": 1, "y": 1, "z": 3}


def test_an_aliased_value_is_built_anew_for_each_place() -> None:
    place = entry("a: &a [1]\nk: *a\n")

    assert (place.plain(), place.path, place.line) == ([1], "k", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yml:3: a: stands twice, first on line 1"),
        ("o:\n  a: 1\n  a: 2\n", "f.yml:3: o.a: stands twice, first on line 2"),
        ("a: 1\n? [x]\n: 2\n", "f.yml:2: top level: a key must be a plain word"),
        ("o:\n  ? {x: y}\n  : 2\n", "f.yml:2: o: a key must be a plain word"),
        ("o:\n  <<: 5\n", "f.yml:2: o: expected a mapping, not 5"),
        ("o: &o\n  p: *o\n", "f.yml:1: o.p: contains itself"),
        ("l: &l\n  - *l\n", "f.yml:1: l[0]: contains itself"),
        ("a: 1\nb: 2024-13-01\n", "f.yml:2: b: month must be in 1..12"),
        ("a: 1\n--- \nb: 2\n", "f.yml:2: but found another document"),
        ("a: 1\nb: *nowhere\n", "f.yml:2: found undefined alias 'nowhere'"),
        ("a: 1\nb: [1, 2\n", "f.yml:3: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n\tb: 2\n", "f.yml:2: found character '\\t' that cannot start any token"),
        ("a: 1\nb: !secret x\n", "f.yml:2: could not determine a constructor for the tag '!secret'"),
        ("a: 1\nb: \0\n", "f.yml:2: not YAML: special characters are not allowed"),
    ],
)
def test_what_is_not_usable_yaml_is_refused_with_its_line(text: str, message: str) -> None:
    assert refused(text) == message


@pytest.mark.parametrize("value", ["!!bool maybe", '!!int ""', '!!float ""', "!!timestamp noon"])
def test_a_value_that_does_not_suit_its_tag_is_refused_with_its_line(value: str) -> None:
    assert refused(f"a: 1\nk: {value}\n").startswith("f.yml:2: k: ")


def test_a_number_beyond_all_measure_is_refused_with_its_line() -> None:
    assert refused(f"a: 1\nk: 1{':1' * 200}.0\n").startswith("f.yml:2: k: ")


def test_half_of_a_surrogate_pair_is_refused_with_its_line() -> None:
    assert refused('a: 1\nk: "\\ud800"\n').startswith("f.yml:2: k: ")


def test_a_wrong_value_of_the_whole_document_needs_no_path() -> None:
    assert refused("2024-13-01") == "f.yml:1: month must be in 1..12"


def test_nesting_without_end_is_refused() -> None:
    assert refused("[" * 5000) == "f.yml: is nested too deeply"


def test_aliases_that_multiply_without_end_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert refused("\n".join(lines)).endswith("more than 200000 values; too many aliases?")


def test_text_under_a_formats_own_tag_is_verbatim() -> None:
    place = parse_located("k: !own 12\nl: !own [1]\n", "f.yml", tags=("!own",)).mapping()["k"]

    assert place.value == Verbatim("12")
    assert isinstance(place.value, Verbatim)
    assert type(place.plain()) is str


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(f'{tmp_path}/no.yml: cannot be read: No such file')}"):
        read_located(tmp_path / "no.yml")


def test_a_file_that_is_not_utf8_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin.yml"
    path.write_bytes(b"a: \xe9\n")
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: is not UTF-8 text (byte 3)')}$"):
        read_located(path)


def test_a_file_is_read_with_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "é.yml"
    path.write_text("k: ü\n", encoding="utf-8")

    assert (read_located(path).mapping()["k"].value, read_located(path).file) == ("ü", str(path))


@pytest.mark.parametrize(
    ("text", "string"),
    [
        ("k: x", "x"),
        ("k: 5", "5"),
        ("k: 0.5", "0.5"),
        ("k: true", "true"),
        ("k: no", "no"),
        ("k: TRUE", "true"),
        ("k: ''", ""),
    ],
)
def test_scalars_count_as_text(text: str, string: str) -> None:
    assert entry(text).string() == string


def test_a_small_number_counts_as_it_is_commonly_written() -> None:
    assert entry("k: 0.00001").string() == "0.00001"


@pytest.mark.parametrize(("text", "said"), [("k: [1]", "a list"), ("k: {a: 1}", "a mapping"), ("k:", "nothing")])
def test_what_is_no_scalar_is_no_string(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"^f.yml:1: k: expected a string, not {said}$"):
        entry(text).string()


@pytest.mark.parametrize(("text", "number"), [("k: 0", 0), ("k: 12", 12), ("k: '12'", 12), ("k: ' 7 '", 7)])
def test_whole_numbers_are_read_quoted_or_not(text: str, number: int) -> None:
    assert entry(text).integer() == number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k: -1", "-1"), ("k: 1.5", "1.5"), ("k: true", "true"), ("k: x", "'x'"), ("k: '-1'", "'-1'"),
        ("k: '٣'", "'٣'"), ("k:", "nothing"), ("k: ''", "''"), ("k: [1]", "a list"),
    ],
)  # fmt: skip
def test_what_is_no_whole_number_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(f'f.yml:1: k: expected a whole number from 0, not {said}')}$"):
        entry(text).integer()


def test_a_whole_number_below_the_least_is_refused() -> None:
    with pytest.raises(InputError, match=r"^f.yml:1: k: expected a whole number from 1, not 0$"):
        entry("k: 0").integer(least=1)


def test_a_quoted_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(InputError, match=r"^f.yml:1: k: "):
        entry(f"k: '{'9' * 5000}'").integer()


def test_a_hexadecimal_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(InputError, match=r"^f.yml:1: k: "):
        entry(f"k: 0x{'f' * 5000}").mapping()


@pytest.mark.parametrize(("text", "value"), [("k: true", True), ("k: no", False)])
def test_booleans_are_read(text: str, value: bool) -> None:
    assert entry(text).boolean() is value


@pytest.mark.parametrize(("text", "said"), [("k: 1", "1"), ("k: maybe", "'maybe'"), ("k:", "nothing")])
def test_what_is_no_boolean_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"^f.yml:1: k: expected true or false, not {said}$"):
        entry(text).boolean()


@pytest.mark.parametrize(("text", "said"), [("k: 1", "1"), ("k: {a: 1}", "a mapping"), ("k:", "nothing")])
def test_what_is_no_list_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"^f.yml:1: k: expected a list, not {said}$"):
        entry(text).items()


def test_an_unknown_key_is_refused_with_its_line_and_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"^f.yml:3: k.c: unknown key; known here: a, b$"):
        entry("k:\n  a: 1\n  c: 2\n").mapping(known=("b", "a"))


def test_a_long_text_is_cut_short_in_a_message() -> None:
    with pytest.raises(InputError, match=f"^f.yml:1: k: expected a mapping, not '{'x' * 57}…'$"):
        entry(f"k: {'x' * 60}").mapping()


def test_what_a_parser_says_becomes_an_error_of_the_place() -> None:
    def parse(text: str) -> NoReturn:
        raise ValueError(f"{text} is not it")

    with pytest.raises(InputError, match=r"^f.yml:2: k: this is not it$"):
        entry("a: 1\nk: this\n").parsed(parse)


def test_another_value_keeps_the_place() -> None:
    place = entry("a: 1\nk: x\n").with_value("y")

    assert (place.value, place.file, place.line, place.path) == ("y", "f.yml", 2, "k")


@pytest.mark.parametrize(
    ("text", "resources"),
    [
        ("k: {cpus: 0.5, memory: 512m}", Resources(500, 512 << 20)),
        ("k: {cpus: '2'}", Resources(2000, 0)),
        ("k: {memory: 100}", Resources(0, 100)),
        ("k:", Resources()),
    ],
)
def test_resources_are_read(text: str, resources: Resources) -> None:
    assert read_resources(entry(text)) == resources


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k: {cpus: many}", "f.yml:1: k.cpus: expected a number of cores like 0.5 or 2, not 'many'"),
        ("k: {cpus: -1}", "f.yml:1: k.cpus: expected a number of cores like 0.5 or 2, not '-1'"),
        ("k:\n  memory: much", "f.yml:2: k.memory: expected a size like 512m or 1.5g, not 'much'"),
        ("k: {memory: }", "f.yml:1: k.memory: expected a string, not nothing"),
        ("k: {pids: 5}", "f.yml:1: k.pids: unknown key; known here: cpus, memory"),
        ("k: 5", "f.yml:1: k: expected a mapping, not 5"),
    ],
)
def test_wrong_resources_are_refused_with_their_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_resources(entry(text))


@pytest.mark.parametrize("word", ["trueish", "True0", "falsehood", "atrue"])
def test_a_word_that_begins_like_a_boolean_is_text(word: str) -> None:
    assert entry(f"k: {word}").string() == word
