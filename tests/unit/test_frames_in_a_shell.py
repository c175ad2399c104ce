"""Frames, run by the real shells of this machine."""

from __future__ import annotations

import pytest

from tests.unit.shells import SHELLS, answer

every_shell = pytest.mark.parametrize("shell", SHELLS)


@every_shell
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo out; echo err >&2", (0, b"out\n", b"err\n")),
        ("printf no-newline; printf neither >&2", (0, b"no-newline", b"neither")),
        ("", (0, b"", b"")),
        ("true", (0, b"", b"")),
        ("exit 7", (7, b"", b"")),
        ("(exit 255)", (255, b"", b"")),
        ("echo a\nfalse", (1, b"a\n", b"")),
        ("set -e\nfalse\necho not reached", (1, b"", b"")),
        ("echo 'single' \"double\" '\\'", (0, b"single double \\\n", b"")),
        ("cat", (0, b"", b"")),
        ("read x || echo nothing to read", (0, b"nothing to read\n", b"")),
        ("cat <<EOF\nheredoc of its own\nEOF", (0, b"heredoc of its own\n", b"")),
        ("printf '\\036\\000\\377'", (0, b"\x1e\x00\xff", b"")),
        ("printf é", (0, "é".encode(), b"")),
    ],
)
def test_a_script_gives_back_its_status_and_its_output(
    shell: tuple[str, ...], script: str, expected: tuple[int, bytes, bytes]
) -> None:
    assert answer(shell, (script, "")) == [expected]


@every_shell
def test_a_command_that_is_killed_has_the_status_of_its_signal(shell: tuple[str, ...]) -> None:
    killed, after = answer(shell, ("echo last words; exec sh -c 'kill -KILL $$'", ""), ("echo alive", ""))

    assert killed[:2] == (137, b"last words\n")
    assert after[:2] == (0, b"alive\n")


@every_shell
@pytest.mark.parametrize("script", ["if", "echo 'open", "echo $(", "fi", "(", "}", "case x in"])
def test_a_syntax_error_fails_its_own_command_alone(shell: tuple[str, ...], script: str) -> None:
    wrong, after = answer(shell, (script, ""), ("echo alive", ""))

    assert wrong[0] != 0
    assert (wrong[1], wrong[2] != b"") == (b"", True)
    assert after == (0, b"alive\n", b"")


@every_shell
@pytest.mark.parametrize(
    "script", ["exit 3", "cd /; X=1; set -e; false", "exec 1>&- 2>&-", "trap 'exit 9' EXIT", "exec false"]
)
def test_no_command_ends_or_changes_the_shell(shell: tuple[str, ...], script: str) -> None:
    before, _, after = answer(shell, ("pwd", ""), (script, ""), ('pwd; echo "$X$-" | tr -cd 1e', ""))

    assert after == (0, before[1], b"")


@every_shell
@pytest.mark.parametrize(
    "stdin",
    [
        "one line\n",
        "no newline",
        'it\'s "quoted" `date` $(date) $HOME \\ \\n\n',
        "\n\n",
        " leading\n\ttab\n",
        "EOF\n'\n",
        "é\u2028\x1e\x85\r\n",
        "x" * 100_000 + "\n",
    ],
)
def test_input_comes_as_it_is_but_for_a_last_newline(shell: tuple[str, ...], stdin: str) -> None:
    expected = stdin if stdin.endswith("\n") else f"{stdin}\n"

    assert answer(shell, ("cat", stdin)) == [(0, expected.encode(), b"")]


@every_shell
def test_input_that_is_not_read_does_not_reach_the_next_command(shell: tuple[str, ...]) -> None:
    many = "echo not a command\n" * 10_000

    assert answer(shell, ("true", many), ("read first; echo $first", many), ("cat", ""), ("cat", "own\n")) == [
        (0, b"", b""),
        (0, b"echo not a command\n", b""),
        (0, b"", b""),
        (0, b"own\n", b""),
    ]


@every_shell
def test_a_command_is_not_told_its_mark(shell: tuple[str, ...]) -> None:
    (status, out, _), _ = answer(shell, ('set; echo "$0 $*"', ""), ("true", "in\n"))

    assert status == 0
    assert b"0" * 32 not in out
