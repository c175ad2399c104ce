"""The protocol of a persistent shell: what is written, and how its answer is read back."""

from __future__ import annotations

import re

import pytest

from orch.remote.frames import Collector, Result, frame

NONCE = "0123456789abcdef0123456789abcdef"
OUT_END = f"\x1e{NONCE} 0\x1e".encode()
ERR_END = f"\x1e{NONCE} 0\x1e".encode()


def collector(limit: int = 1 << 20) -> Collector:
    return Collector(NONCE, limit)


MARKS = f"printf '\\036{NONCE} %d\\036' $?; printf '\\036{NONCE} 0\\036' >&2\n"


def test_a_command_without_input_reads_nothing() -> None:
    assert frame("echo it's", "", NONCE) == f"(eval 'echo it'\"'\"'s') </dev/null\n{MARKS}".encode()


@pytest.mark.parametrize("stdin", ["a\nb", "a\nb\n"])
def test_input_ends_with_one_newline(stdin: str) -> None:
    assert frame("cat", stdin, NONCE) == f"(eval cat) <<'0{NONCE}'\na\nb\n0{NONCE}\n{MARKS}".encode()


def test_no_line_of_input_begins_as_its_end_does() -> None:
    assert f"<<'2{NONCE}'\n0a\n1b\n2{NONCE}\n".encode() in frame("cat", "0a\n1b\n", NONCE)


def test_a_shell_s_first_command_marks_its_beginning_too() -> None:
    beginning = MARKS.replace("$?", "$$").rstrip("\n")

    assert frame("true", "", NONCE, first=True) == f"{beginning}; (eval true) </dev/null\n{MARKS}".encode()


@pytest.mark.parametrize(("script", "stdin"), [("a\0b", ""), ("cat", "a\0b")])
def test_what_no_shell_can_take_is_refused(script: str, stdin: str) -> None:
    with pytest.raises(ValueError, match=r"^commands and their input cannot contain a NUL character$"):
        frame(script, stdin, NONCE)


def test_an_answer_is_complete_when_both_streams_have_ended() -> None:
    found = collector()

    assert found.feed(b"out" + OUT_END, stderr=False) is False
    assert found.feed(b"err" + ERR_END, stderr=True) is True
    assert (found.stdout, found.stderr, found.status) == (b"out", b"err", 0)


def test_the_streams_may_end_in_either_order() -> None:
    found = collector()

    assert found.feed(ERR_END, stderr=True) is False
    assert found.feed(OUT_END, stderr=False) is True
    assert (found.stdout, found.stderr) == (b"", b"")


def test_an_answer_may_come_byte_by_byte() -> None:
    found = collector()
    text = b"\x1e012" + f"\x1e{NONCE} 130\x1e".encode()
    ended = [found.feed(bytes([byte]), stderr=False) for byte in text] + [found.feed(ERR_END, stderr=True)]

    assert ended == [False] * len(text) + [True]
    assert (found.stdout, found.status) == (b"\x1e012", 130)


def test_a_status_that_is_cut_in_two_is_waited_for() -> None:
    found = collector()
    found.feed(ERR_END, stderr=True)

    assert found.feed(f"\x1e{NONCE} 1".encode(), stderr=False) is False
    assert found.feed(b"2\x1e", stderr=False) is True
    assert found.status == 12


def test_a_sign_or_another_commands_mark_is_output() -> None:
    found = collector()
    said = b"\x1e\x1e" + b"\x1e" + NONCE[::-1].encode() + b" 0\x1e"
    found.feed(ERR_END, stderr=True)

    assert found.feed(said, stderr=False) is False
    assert found.feed(OUT_END, stderr=False) is True
    assert found.stdout == said


def test_output_so_far_can_be_read_before_the_end() -> None:
    found = collector()
    found.feed(b"so far", stderr=False)
    found.feed(b"oh", stderr=True)

    assert (found.stdout, found.stderr) == (b"so far", b"oh")


@pytest.mark.parametrize("stderr", [False, True])
def test_too_much_output_is_refused(stderr: bool) -> None:
    found = collector(limit=2 << 20)
    assert found.feed(b"x" * (2 << 20), stderr=stderr) is False
    with pytest.raises(ValueError, match=r"^printed more than 2 MiB$"):
        found.feed(b"x" * 100, stderr=stderr)


def test_too_much_output_is_refused_also_when_its_end_comes_with_it() -> None:
    found = collector(limit=1 << 20)
    with pytest.raises(ValueError, match=r"^printed more than 1 MiB$"):
        found.feed(b"x" * ((1 << 20) + 1) + OUT_END, stderr=False)


@pytest.mark.parametrize("cut", [1, 10, len(OUT_END) - 1])
def test_as_much_output_as_is_allowed_is_kept_wherever_its_end_is_cut(cut: int) -> None:
    found = collector(limit=100)
    found.feed(ERR_END, stderr=True)
    found.feed(b"x" * 100 + OUT_END[:cut], stderr=False)

    assert found.feed(OUT_END[cut:], stderr=False) is True
    assert found.stdout == b"x" * 100


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        (Result(1, b"out", b" err \n", 0.1), "err"),
        (Result(1, b" out \n", b" \n", 0.1), "out"),
        (Result(7, b"", b"", 0.1), "exit status 7"),
        (Result(1, b"a" * 600, b"", 0.1), "a" * 500),
        (Result(1, b"", b"\xff", 0.1), "\ufffd"),
    ],
)
def test_a_failed_command_complains_with_what_it_said(result: Result, complaint: str) -> None:
    assert result.complaint == complaint


def test_output_that_is_no_text_is_still_shown() -> None:
    assert re.fullmatch("a\ufffdb", Result(0, b"a\xffb", b"", 0.1).text)
