"""Getting a POSIX shell, as the user who logs in or, through sudo, as another.

What the login shell reads is one plain line that means the same to sh, csh and fish. sudo's password goes over the
channel when sudo asks for it, and never without being asked: it would be taken for a command.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
from collections.abc import Awaitable, Callable

import msgspec

from orch.errors import BecomeError, ConnectError, HostError
from orch.model.secret import Secret
from orch.remote.ask import Answers
from orch.remote.pipe import Gone, Lost, Pipe, Wire

Open = Callable[[str], Awaitable[tuple[Pipe, Wire]]]
"""The login shell's command → the channel on which it runs."""

PLAIN = "exec /bin/sh"

_NO_PASSWORD = (
    "sudo asks for a password: give it on a terminal or as ansible_become_password, or let this user run it without one"
)
_NOISE = 64 << 10


class Become(msgspec.Struct, frozen=True):
    """`user` is empty for no change. `login` is who logs in: whose password sudo asks for."""

    user: str
    login: str
    password: Secret = Secret()


async def open_shell(host: str, open_: Open, become: Become, answers: Answers, timeout: float) -> tuple[Pipe, Wire]:
    """A channel whose other end is /bin/sh. Raises HostError with what stands in the way."""
    if not become.user:
        return await open_(PLAIN)
    question = f"sudo password of {become.login}"
    # What comes back differs from what stands on the command line, which a login shell may print (`set -x`).
    token = f"orch-{secrets.token_hex(8)}"
    inner = shlex.quote(f"echo {token}-$((1)); exec /bin/sh")
    pipe, wire = await open_(f"exec sudo -S -p {token}%%: -u {shlex.quote(become.user)} -- /bin/sh -c {inner}")
    heard = _Heard(f"{token}%:".encode(), f"{token}-1\n".encode())
    given: Secret | None = None
    try:
        async with asyncio.timeout(timeout) as limit:
            while await heard.next(wire):
                if given is not None:
                    # A slip of the fingers should not cost all hosts: the next one asks again.
                    answers.forget(question, given)
                    raise BecomeError(host, f"sudo does not take this password of {become.login}")
                limit.reschedule(None)
                given = become.password or await answers.get(question)
                limit.reschedule(asyncio.get_running_loop().time() + timeout)
                if not given:
                    raise BecomeError(host, _NO_PASSWORD)
                pipe.write(given.reveal().encode() + b"\n")
        return pipe, wire
    except TimeoutError:
        pipe.abort()
        raise ConnectError(host, f"sudo gives no shell within {timeout:g} s; does it ask a server?") from None
    except Gone as gone:
        pipe.abort()
        raise _explain(host, heard.said(), gone.status) from gone
    except Lost as lost:
        pipe.abort()
        raise ConnectError(host, f"the connection was lost: {lost}") from lost
    except ValueError as error:
        pipe.abort()
        raise BecomeError(host, str(error)) from error
    except BaseException:
        pipe.abort()
        raise


class _Heard:
    """What comes before the shell: sudo's requests for a password on standard error, or the shell's own word."""

    def __init__(self, request: bytes, ready: bytes) -> None:
        self._request, self._ready = request, ready
        self._streams = (bytearray(), bytearray())
        self._requests = 0

    async def next(self, wire: Wire) -> bool:
        """Whether sudo asks (once more); False when the shell is there. Raises ValueError for endless noise, and what
        the wire raises."""
        before = self._requests
        await wire.expect(self._take)
        return self._requests > before

    def _take(self, data: bytes, stderr: bool) -> bool:
        stream = self._streams[stderr]
        stream.extend(data)
        if self._ready in self._streams[0]:
            return True
        if stderr and self._request in stream:
            # Each request is seen once: what came before it is of no more use.
            del stream[: stream.index(self._request) + len(self._request)]
            self._requests += 1
            return True
        if len(stream) > _NOISE:
            raise ValueError(
                "its login shell prints without end before sudo begins; give this user another, such as sh"
            )
        return False

    def said(self) -> str:
        text = b"\n".join(bytes(stream) for stream in self._streams).decode(errors="replace")
        return text.replace(self._request.decode(), "").strip()


def _explain(host: str, said: str, status: int | None) -> HostError:
    lines = [line for line in said.splitlines() if line.strip()]
    text = next((line for line in lines if line.startswith("sudo:")), lines[-1] if lines else "")
    if "incorrect password" in said or "try again" in said:
        return BecomeError(host, "sudo does not take this password; is it that of the user who logs in?")
    if "have a tty" in said:
        return BecomeError(host, f"{text}; write `Defaults !requiretty` into its sudoers")
    if "unknown user" in said:
        return BecomeError(host, f"{text}; check ansible_become_user")
    if "sudoers" in said or "not allowed" in said:
        return BecomeError(host, f"{text}; allow it in /etc/sudoers.d, or leave out ansible_become")
    if status == 127 or "not found" in said:
        return BecomeError(host, "sudo is missing; install it, or log in as root without ansible_become")
    return BecomeError(host, f"sudo gives no shell: {text or f'it ended with status {status}'}")
