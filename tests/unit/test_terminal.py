"""Asking on the terminal: not echoed, not in the way of other work, and only where somebody is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest

from orch.model.secret import Secret
from orch.remote.ask import Answers
from tests.ssh.conftest import Told

ASK = """
import asyncio
from orch.cli.ask import Terminal
async def main():
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1
    ticking = asyncio.create_task(tick())
    answer = await Terminal().ask("Password of deploy")
    ticking.cancel()
    print("answer", None if answer is None else answer.reveal(), ticks > 3, flush=True)
asyncio.run(main())
"""


def on_a_terminal(answer: bytes) -> str:
    """All that a terminal shows of a program that asks on it."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", ASK])
    shown = b""
    while b"Password of deploy: " not in shown:
        shown += os.read(terminal, 1000)
    time.sleep(0.2)  # A person takes time; meanwhile other work goes on, which is what is tested.
    os.write(terminal, answer)
    try:
        while part := os.read(terminal, 1000):
            shown += part
    except OSError:  # The program has ended.
        pass
    os.waitpid(child, 0)
    os.close(terminal)
    return shown.decode()


@pytest.mark.parametrize(
    ("typed", "answer"), [(b"pa ss\n", "pa ss"), (b"\n", "None"), (b"half\x7f\x7f\x7f\x7fwhole\n", "whole")]
)
def test_an_answer_is_read_unseen_while_other_work_goes_on(typed: bytes, answer: str) -> None:
    assert on_a_terminal(typed) == f"Password of deploy: \r\nanswer {answer} True\r\n"


def test_nothing_is_asked_where_there_is_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, start_new_session=True
    )
    assert done.stdout.startswith("answer None")


def test_a_secret_is_not_shown() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret!r} {secret} {[secret]}"
    assert secret == Secret("hunter2") != Secret("other")
    assert bool(secret)
    assert not Secret()


async def test_a_question_is_asked_once_and_again_after_a_wrong_answer() -> None:
    told = Told("one", "two")
    answers = Answers(told)
    assert await answers.get("q") == Secret("one")
    assert await answers.get("q") == Secret("one")
    answers.forget("q", Secret("another"))
    assert await answers.get("q") == Secret("one")
    answers.forget("q", Secret("one"))
    assert await answers.get("q") == Secret("two")
    assert told.questions == ["q", "q"]


async def test_no_answer_is_remembered_too() -> None:
    told = Told()
    answers = Answers(told)
    assert [await answers.get("q"), await answers.get("q")] == [None, None]
    assert told.questions == ["q"]
