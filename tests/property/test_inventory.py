"""What holds of inventories and of all that is written in them, whatever it is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orch.errors import InputError, UsageError
from orch.inventory.fleet import Fleet, Inventory, read_fleet, read_inventory, select_names
from orch.inventory.matching import Matcher
from orch.inventory.patterns import FromFile, Glob, Name, Part, Regex, Slice, parse_pattern, render_pattern
from orch.inventory.problems import Problems
from orch.inventory.ranges import Span, parse_names, render_names
from orch.inventory.sources import parse_inventory
from orch.inventory.ssh_options import SshOptions, parse_ssh_options
from orch.located import Located
from orch.model.node import Taint, parse_taint
from tests.property.mutations import GROUP_VARS, INVENTORY, mutated

moderately = settings(max_examples=150, deadline=None)
thoroughly = settings(max_examples=400, deadline=None)


@moderately
@given(st.text() | mutated(INVENTORY, "[web]\nw1 ansible_host=x\n", "#!/bin/sh\n", "plugin: x\n"))
def test_any_text_is_a_mapping_of_groups_or_an_input_error(text: str) -> None:
    with suppress(InputError):
        assert isinstance(parse_inventory(text, "f.yml"), Located)


def check(folder: Path) -> tuple[Inventory | None, list[InputError]]:
    """As `orch inventory check` does it."""
    problems = Problems(keep=True)
    try:
        inventory = read_inventory([folder], problems)
    except InputError as error:
        problems.add(error)
        return None, problems.found()
    inventory.fleet(problems)
    return inventory, problems.found()


def fleet_of(folder: Path) -> Fleet | InputError:
    try:
        return read_fleet([folder])
    except InputError as error:
        return error


def test_the_texts_that_are_changed_here_are_right_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "i.yml").write_text(INVENTORY)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(GROUP_VARS)

    assert [host.name for host in read_fleet([tmp_path]).hosts] == [
        "w01", "w02", "w03", "x1", "y1", "2001:db8::1", "2001:db8::2",
    ]  # fmt: skip


@thoroughly
@given(
    st.just(INVENTORY) | mutated(INVENTORY),
    st.just(GROUP_VARS) | mutated(GROUP_VARS) | st.text(),
    st.sampled_from(["group_vars/all.yml", "group_vars/web", "group_vars/db/a.yml", "host_vars/x1.yml"]),
)
@example(INVENTORY, GROUP_VARS, "group_vars/all.yml")
def test_an_inventory_is_a_fleet_exactly_when_a_check_finds_nothing(inventory: str, beside: str, name: str) -> None:
    with TemporaryDirectory() as made:
        folder = Path(made)
        (folder / name).parent.mkdir(parents=True)
        for path, text in (("i.yml", inventory), (name, beside)):
            (folder / path).write_bytes(text.encode("utf-8", "surrogatepass"))
        fleet = fleet_of(folder)
        read, found = check(folder)
        if isinstance(fleet, InputError):
            assert (fleet.file, fleet.line) in {(error.file, error.line) for error in found}
            return
        assert found == []
        assert read is not None
        assert [host.name for host in fleet.hosts] == read.members["all"]
        for host in read.tree.places:
            read.render_all(host, Problems(keep=True))


HOSTS = ["w1", "w2", "x1", "2001:db8::1"]
GROUPS = {"all": HOSTS, "web": HOSTS[:2], "db": HOSTS[2:]}
PATTERNS = "web:&db,!x1[0:1],~(w|x)1{1,2}:@file,2001:db8::1,w*[-1],x[ab]?"


@thoroughly
@given(st.text() | mutated(PATTERNS), st.text() | mutated("w1\n# x\nweb:!w2\n"))
@example(PATTERNS, "web")
def test_any_pattern_names_hosts_in_order_or_is_a_usage_error(pattern: str, file: str) -> None:
    with suppress(ValueError):
        found = Matcher(HOSTS, GROUPS, lambda path: file).match(pattern)
        assert found == [host for host in HOSTS if host in found]
    with suppress(UsageError):
        assert select_names(pattern, HOSTS, GROUPS, "f.yml") != []


names = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}\Z")
slices = st.none() | st.builds(Slice, st.integers(-9, 99), st.integers(-9, 99))
parts = st.one_of(
    st.builds(Part, st.builds(Name, names), st.sampled_from(["", "&", "!"]), slices),
    st.builds(
        Part,
        st.builds(Glob, st.sampled_from(["*", "w*", "w?", "w[ab]x", "[!a:c,]*"])),
        st.sampled_from(["", "&", "!"]),
        slices,
    ),
    st.builds(
        Part,
        st.builds(Regex, st.sampled_from(["w", "(a|b,c:d)", r"a\:b\,", "w{1,2}", "[:,(]x", r"[\]:]", "[]:]", "a[0]"])),
        st.sampled_from(["", "&", "!"]),
    ),
    st.builds(Part, st.builds(FromFile, st.sampled_from(["f", "../a b/f", "~/f"])), st.sampled_from(["", "&", "!"])),
    st.builds(Part, st.builds(Name, st.ip_addresses(v=6).map(str)), st.sampled_from(["", "&", "!"])),
)


@thoroughly
@given(st.lists(parts, min_size=1, max_size=4).map(tuple))
def test_a_pattern_that_is_written_reads_back(pattern: tuple[Part, ...]) -> None:
    assert parse_pattern(render_pattern(pattern)) == pattern


@moderately
@given(mutated(PATTERNS))
def test_a_pattern_that_was_read_reads_back_as_the_same(text: str) -> None:
    with suppress(ValueError):
        pattern = parse_pattern(text)
        assert parse_pattern(render_pattern(pattern)) == pattern


digits = st.integers(0, 999).map(str) | st.integers(0, 99).map("{:04d}".format)
spans = st.builds(Span, digits, digits, st.integers(0, 9)) | st.builds(
    Span, st.sampled_from("aZ"), st.sampled_from("zA")
)


@moderately
@given(st.lists(st.tuples(names, spans), max_size=3))
def test_a_range_that_is_written_reads_back(pairs: list[tuple[str, Span]]) -> None:
    written = tuple(part for pair in pairs for part in pair)

    assert parse_names(render_names(written)) == written


@moderately
@given(st.builds(Taint, names.filter(lambda n: n[0] != "_"), st.sampled_from(["NoSchedule", "NoExecute"]), st.just("")))
def test_a_taint_that_is_written_reads_back(taint: Taint) -> None:
    with suppress(ValueError):  # A name may not end in a dot or a dash.
        assert parse_taint(str(taint)) == taint


@moderately
@given(st.text() | mutated("-C -o UserKnownHostsFile=/k -J a@b:1,c -o 'Port 22' -vp 3 -i id -F none"))
def test_any_text_is_options_of_ssh_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(parse_ssh_options(text), SshOptions)
