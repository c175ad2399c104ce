"""Printing beside the event loop: what it takes, what it holds back, what becomes of its errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from orch.cli.printers import HostResult
from orch.cli.printing import LIMIT, Printing
from orch.remote.stream import Sink

SECONDS = 10


class Slow:
    """A printer that keeps what it is given, but only while its gate is open; `fail` is raised for what it names."""

    def __init__(self, fail: dict[bytes, Exception] | None = None) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.printed: list[bytes] = []
        self._fail = fail or {}

    def sink(self, host: str) -> Callable[[bytes, bool], None]:
        def take(data: bytes, stderr: bool) -> None:
            self.entered.set()
            assert self.gate.wait(SECONDS)
            if data in self._fail:
                raise self._fail[data]
            self.printed.append(host.encode() + b" " + data)

        return take

    def collected(self, host: str) -> tuple[str, str]:
        return "", ""

    def finish(self, result: HostResult) -> None:
        self.printed.append(b"end of " + result.host.encode())


def result(host: str) -> HostResult:
    return HostResult(host, 0, "", "", 0.1, None)


def fill(sink: Sink, data: bytes = b"x" * 1000, most: int = LIMIT // 1000) -> asyncio.Future[None]:
    """Print this, at most so often, until there is no more room."""
    for _ in range(most):
        if (room := sink(data, False)) is not None:
            return room
    raise AssertionError("there is no limit")


async def test_everything_is_printed_in_the_order_in_which_it_came() -> None:
    printer = Slow()
    async with Printing(printer) as printing:
        for number in range(3000):
            printing.sink("ab"[number % 2])(b"%d" % number, False)
        await printing.finish(result("a"))
        printing.sink("b")(b"last", True)
        await printing.finish(result("b"))
    lines = [b"%c %d" % (b"ab"[n % 2], n) for n in range(3000)]
    assert printer.printed == [*lines, b"end of a", b"b last", b"end of b"]


async def test_output_that_is_stuck_stops_nobody_and_takes_so_much_and_no_more() -> None:
    printer = Slow()
    async with Printing(printer) as printing:
        printer.gate.clear()
        room = fill(printing.sink("a"))
        assert printing.sink("b")(b"y", False) is room
        await asyncio.to_thread(printer.entered.wait, SECONDS)
        # The loop runs on, and what comes in the end waits like all before it.
        finishing = asyncio.create_task(printing.finish(result("a")))
        done, _ = await asyncio.wait({room, finishing}, timeout=0.05)
        assert not done
        printer.gate.set()
        async with asyncio.timeout(SECONDS):
            await room
            await finishing
        assert printing.sink("a")(b"more", False) is None
        assert await printing.settle("a") is None
    assert sum(line.count(b"x") for line in printer.printed) > LIMIT // 2
    assert printer.printed[-3:] == [b"b y", b"end of a", b"a more"]


async def test_output_that_comes_letter_by_letter_takes_no_more_memory() -> None:
    printer = Slow()
    async with Printing(printer) as printing:
        printer.gate.clear()
        room = fill(printing.sink("a"), b"x", LIMIT // 400)
        assert not room.done()
        printer.gate.set()
        await asyncio.wait_for(room, SECONDS)
    assert set(printer.printed) == {b"a x"}


async def test_what_one_host_says_too_much_is_that_host_s_error() -> None:
    printer = Slow({b"bad": ValueError("too much")})
    async with Printing(printer) as printing:
        for data in (b"good", b"bad", b"after"):
            printing.sink("a")(data, False)
        printing.sink("b")(b"fine", False)
        assert await printing.settle("a") == "too much"
        assert await printing.settle("b") is None
        with pytest.raises(ValueError, match=r"^too much$"):
            printing.sink("a")(b"later", False)
        await printing.finish(result("a"))
    assert printer.printed == [b"a good", b"b fine", b"end of a"]


@pytest.mark.parametrize("error", [BrokenPipeError(32, "enough"), ZeroDivisionError("a fault of ours")])
async def test_what_cannot_be_printed_at_all_ends_everything_that_waits(error: Exception) -> None:
    printer = Slow({b"bad": error})
    async with Printing(printer) as printing:
        printer.gate.clear()
        printing.sink("a")(b"bad", False)
        room = fill(printing.sink("b"))
        finishing = asyncio.create_task(printing.finish(result("b")))
        await asyncio.to_thread(printer.entered.wait, SECONDS)
        printer.gate.set()
        for waiting in (room, finishing, printing.settle("c")):
            with pytest.raises(type(error)):
                await asyncio.wait_for(waiting, SECONDS)
        with pytest.raises(type(error)):
            printing.sink("a")(b"more", False)
    assert printer.printed == []


async def test_who_gives_up_does_not_wait_for_output_that_is_stuck() -> None:
    printer = Slow()
    printer.gate.clear()

    async def stuck() -> None:
        async with Printing(printer) as printing:
            printing.sink("a")(b"1", False)
            printing.sink("a")(b"2", False)
            await printing.finish(result("a"))

    task = asyncio.create_task(stuck())
    await asyncio.to_thread(printer.entered.wait, SECONDS)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=SECONDS / 2)
    assert done
    assert task.cancelled()
    thread = next(thread for thread in threading.enumerate() if thread.name == "printing")
    assert thread.daemon
    printer.gate.set()
    await asyncio.to_thread(thread.join, SECONDS)
    # What it was about to print when all was given up, and nothing after it.
    assert printer.printed == [b"a 1"]
