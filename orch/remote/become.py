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
from orch.remote.pipe import Gone, Pipe, Wire

Open = Callable[[str], Awaitable[tuple[Pipe, Wire]]]
"""The login shell's command → the channel on which it runs."""

PLAIN = "exec /bin/sh"


class Become(msgspec.Struct, frozen=True):
    """`user` is empty for no change. `login` is who logs in: whose password sudo asks for."""

    user: str
    login: str
    password: Secret = Secret()


class _PasswordError(BecomeError):
    """Another password might help."""


async def open_shell(host: str, open_: Open, become: Become, answers: Answers, timeout: float) -> tuple[Pipe, Wire]:
    """A channel whose other end is /bin/sh. Raises HostError with what stands in the way."""
    if not become.user:
        return await open_(PLAIN)
    question = f"sudo password of {become.login}"
    password: Secret | None = become.password
    if not password:
        try:
            return await _through_sudo(host, open_, become.user, None, timeout)
        except _PasswordError:
            password = await answers.get(question)
            if not password:
                raise
    try:
        return await _through_sudo(host, open_, become.user, password, timeout)
    except _PasswordError:
        # A slip of the fingers should not cost all hosts: the next one asks again.
        answers.forget(question, password)
        raise


async def _through_sudo(
    host: str, open_: Open, user: str, password: Secret | None, timeout: float
) -> tuple[Pipe, Wire]:
    """Raises _PasswordError when sudo wants a password that we do not have, or another one."""
    token = f"orch-{secrets.token_hex(8)}"
    way = f"-S -p {token}?" if password else "-n"
    inner = shlex.quote(f"echo {token}; exec /bin/sh")
    pipe, wire = await open_(f"exec sudo {way} -u {shlex.quote(user)} -- /bin/sh -c {inner}")
    heard = (bytearray(), bytearray())

    def take(data: bytes, stderr: bool) -> bool:
        heard[stderr].extend(data)
        return f"{token}\n".encode() in heard[0] or heard[1].count(f"{token}?".encode()) > asked

    try:
        async with asyncio.timeout(timeout):
            for asked in range(2):
                await wire.expect(take)
                if f"{token}\n".encode() in heard[0]:
                    return pipe, wire
                if asked or password is None:
                    raise _PasswordError(host, _wrong(user))
                pipe.write(password.reveal().encode() + b"\n")
        raise _PasswordError(host, _wrong(user))
    except BaseException as error:
        pipe.abort()
        match error:
            case TimeoutError():
                raise ConnectError(host, f"sudo gives no shell within {timeout:g} s; does it ask a server?") from None
            case Gone():
                said = b"\n".join(bytes(h) for h in heard).decode(errors="replace").replace(f"{token}?", "")
                raise _explain(host, said.strip(), error.status) from None
            case OSError():
                raise ConnectError(host, f"the connection was lost: {error}") from error
        raise


def _wrong(user: str) -> str:
    return f"sudo does not take this password for {user}; is it the password of the user who logs in?"


def _explain(host: str, said: str, status: int | None) -> HostError:
    lines = [line for line in said.splitlines() if line.strip()]
    text = next((line for line in lines if line.startswith("sudo:")), lines[-1] if lines else "")
    if "password is required" in said or "terminal is required" in said:
        return _PasswordError(
            host,
            "sudo asks for a password: give it on a terminal or as ansible_become_password, or let this user run sudo "
            "without one",
        )
    if "incorrect password" in said or "try again" in said:
        return _PasswordError(host, "sudo does not take this password; is it that of the user who logs in?")
    if "unknown user" in said:
        return BecomeError(host, f"{text}; check ansible_become_user")
    if "sudoers" in said or "not allowed" in said:
        return BecomeError(host, f"{text}; allow it in /etc/sudoers.d, or leave out ansible_become")
    if status == 127 or "not found" in said:
        return BecomeError(host, "sudo is missing; install it, or log in as root without ansible_become")
    return BecomeError(host, f"sudo gives no shell: {text or f'it ended with status {status}'}")
