"""What holds of commands and their answers on their way through a shell."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.model.replica import Replica, Slot
from orch.model.spec import ServiceSpec
from orch.podman.commands import run
from orch.remote.frames import Collector
from tests.unit.shells import SHELLS, answer

moderately = settings(max_examples=150, deadline=None)
NONCE = "0123456789abcdef" * 2
REPLICA = Replica("abcdefghijkl", Slot("shop", "web", 2), 1, "w1", "h")


@moderately
@given(
    st.dictionaries(
        st.from_regex(r"\A[A-Z]{1,4}\Z"),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).map("§{}".format),
    )
)
def test_no_value_of_an_environment_stands_in_a_word(environment: dict[str, str]) -> None:
    command = run("prod", REPLICA, ServiceSpec("web", "image", environment=environment))
    told = {**dict(entry.split("=", 1) for entry in command.stdin.split("\n")[:-1]), **command.environment}

    assert [word for word in command.argv if "§" in word] == []
    assert told == {"GOGC": "400"} | environment


@st.composite
def chunks(draw: st.DrawFn, text: bytes) -> list[bytes]:
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


printed = st.binary() | st.lists(
    st.sampled_from([b"\x1e", NONCE.encode(), NONCE[:9].encode(), b" 0\x1e", b"\n", b"x"])
).map(b"".join).filter(lambda text: b"\x1e" + NONCE.encode() not in text)  # fmt: skip


@moderately
@given(st.data(), printed, printed, st.integers(0, 255))
def test_any_output_in_any_chunks_is_recovered(data: st.DataObject, out: bytes, err: bytes, status: int) -> None:
    collector = Collector(NONCE, 1 << 20)
    of_out = [(chunk, False) for chunk in data.draw(chunks(out + f"\x1e{NONCE} {status}\x1e".encode()))]
    of_err = [(chunk, True) for chunk in data.draw(chunks(err + f"\x1e{NONCE} 0\x1e".encode()))]
    turns = data.draw(st.permutations([False] * len(of_out) + [True] * len(of_err)))
    queues = {False: iter(of_out), True: iter(of_err)}
    ended = [collector.feed(chunk, stderr=stderr) for chunk, stderr in (next(queues[turn]) for turn in turns)]

    assert ended[-1] is True
    assert (collector.stdout, collector.stderr, collector.status) == (out, err, status)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers(0, 255)), max_size=8)
)
def test_any_input_and_any_words_pass_through_a_shell_unchanged(shell: list[str], said: list[tuple[str, int]]) -> None:
    commands = [(f"cat; printf %s {shlex.quote(text)} >&2; exit {status}", f"{text}\n") for text, status in said]

    assert answer(shell, *commands) == [(status, f"{text}\n".encode(), text.encode()) for text, status in said]


@pytest.mark.parametrize("shell", SHELLS)
def test_input_that_begins_like_its_end_and_goes_on_in_another_alphabet_is_whole(shell: list[str]) -> None:
    """Each first letter that the end could have, before a byte that is no ASCII: dash would lose that byte."""
    for first in "0123456789abcdef_@":
        text = f"{first}é\n{first}{first}ü\n\x80"
        assert answer(shell, ("cat", f"{text}\n")) == [(0, f"{text}\n".encode(), b"")]
