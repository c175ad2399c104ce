"""What many hosts print, put in order."""

from __future__ import annotations

import io
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.cli.printers import MAX_COLLECTED, Collected, HostResult, Lines, Live, Ordered

Captured = pytest.CaptureFixture[bytes]


def result(host: str, rc: int | None = 0, error: str | None = None) -> HostResult:
    return HostResult(host, rc, "", "", 0.1, error)


def cut(chunks: list[bytes], *, shown: bool = False) -> bytes:
    out = io.BytesIO()
    lines = Lines(b"w1 | ", out.write, shown=shown)
    for chunk in chunks:
        lines.feed(chunk)
    lines.end()
    return out.getvalue()


@given(st.lists(st.binary()))
def test_lines_are_the_same_however_they_are_cut(chunks: list[bytes]) -> None:
    text = b"".join(chunks)
    ended = text if text.endswith(b"\n") or not text else text + b"\n"
    assert cut(chunks) == b"".join(b"w1 | " + line + b"\n" for line in ended.split(b"\n")[:-1])


def test_a_line_without_end_is_not_held_for_ever() -> None:
    out = io.BytesIO()
    lines = Lines(b"", out.write, shown=False)
    for _ in range(100):
        lines.feed(b"x" * 10_000)
    assert len(out.getvalue()) > 900_000


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (b"\x1b[1;31mred\x1b[0m", b"\x1b[1;31mred\x1b[0m"),
        (b"\x1b]0;title\x07", b"^[]0;title^G"),
        (b"\x1b[2J\x08", b"^[[2J^H"),
        (b"tab\tand \xc3\xa9", b"tab\tand \xc3\xa9"),
        (b"line\r", b"line"),
        (b"over\rwritten\x7f", b"over^Mwritten^?"),
    ],
)
def test_on_a_terminal_control_characters_are_shown_and_colours_kept(sent: bytes, seen: bytes) -> None:
    assert cut([sent], shown=True) == b"w1 | " + seen + b"\n"
    assert cut([sent]) == b"w1 | " + sent + b"\n"


@pytest.mark.parametrize("order", list(permutations(["a", "bb", "c"])))
def test_hosts_come_in_their_order_whoever_ends_first(capfdbinary: Captured, order: list[str]) -> None:
    printer = Ordered(["a", "bb", "c"])
    for host in order:
        printer.sink(host)(f"{host} 1\n{host} ".encode(), False)
    for host in order:
        printer.sink(host)(b"2", False)
        printer.sink(host)(b"oops\n", True)
        printer.finish(result(host))
    said = capfdbinary.readouterr()
    assert said.out == b"".join(b"%-2b | %b 1\n%-2b | %b 2\n" % (h, h, h, h) for h in (b"a", b"bb", b"c"))
    assert said.err == b"a  | oops\nbb | oops\nc  | oops\n"


def test_the_first_host_is_printed_as_it_comes(capfdbinary: Captured) -> None:
    printer = Ordered(["a", "b"])
    printer.sink("b")(b"later\n", False)
    printer.sink("a")(b"now\n", False)
    assert capfdbinary.readouterr().out == b"a | now\n"
    printer.finish(result("a"))
    assert capfdbinary.readouterr().out == b"b | later\n"
    printer.sink("b")(b"and now\n", False)
    assert capfdbinary.readouterr().out == b"b | and now\n"


def test_much_that_waits_its_turn_is_whole(capfdbinary: Captured) -> None:
    printer = Ordered(["a", "b"])
    for number in range(20_000):
        printer.sink("b")(b"line %d of many that do not fit into memory\n" % number, False)
    printer.finish(result("a"))
    printer.finish(result("b"))
    lines = capfdbinary.readouterr().out.splitlines()
    assert lines == [b"b | line %d of many that do not fit into memory" % n for n in range(20_000)]


def test_an_error_is_told_where_its_host_s_turn_is(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Ordered(["a", "b"])
    printer.finish(result("b", None, "no answer"))
    assert capfd.readouterr().err == ""
    printer.finish(result("a"))
    assert capfd.readouterr().err == "orch: b: no answer\n"


def test_live_lines_come_at_once(capfdbinary: Captured) -> None:
    printer = Live(["a", "b"])
    printer.sink("b")(b"first\npart", False)
    printer.sink("a")(b"second\n", False)
    assert capfdbinary.readouterr().out == b"b | first\na | second\n"
    printer.finish(result("b"))
    assert capfdbinary.readouterr().out == b"b | part\n"


def test_what_is_collected_has_a_limit_for_each_stream() -> None:
    printer = Collected(["a"])
    sink = printer.sink("a")
    sink(b"x" * (MAX_COLLECTED - 1), False)
    sink(b"y" * (MAX_COLLECTED - 1), True)
    with pytest.raises(ValueError, match="printed more than 64 MiB"):
        sink(b"xyz", False)
    stdout, stderr = printer.collected("a")
    assert (len(stdout), len(stderr)) == (MAX_COLLECTED, MAX_COLLECTED - 1)
