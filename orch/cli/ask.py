"""Questions to the person at the terminal, without stopping everything else meanwhile."""

from __future__ import annotations

import asyncio
import os
import termios

from orch.model.secret import Secret

_TERMINAL = "/dev/tty"
_LONGEST = 4096


class Terminal:
    """Asks on the controlling terminal, so that standard input and output stay free; where there is none, nobody."""

    async def ask(self, question: str) -> Secret | None:
        try:
            descriptor = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if os.tcgetpgrp(descriptor) != os.getpgrp():
                return None  # In the background: whoever types there talks to another program.
            return await _read_unseen(descriptor, question)
        finally:
            os.close(descriptor)


async def _read_unseen(terminal: int, question: str) -> Secret | None:
    before = termios.tcgetattr(terminal)
    unseen = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSAFLUSH, unseen)
    try:
        os.write(terminal, f"{question}: ".encode())
        await _readable(terminal)
        answer = os.read(terminal, _LONGEST).decode(errors="replace").rstrip("\r\n")
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        os.write(terminal, b"\n")
    return Secret(answer) if answer else None


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
