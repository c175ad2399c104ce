"""Asking hosts to be examined: how far each lets us come, and that none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import msgspec
import pytest

from orch.errors import AuthError, BecomeError, CommandError, ConnectError, HostError, HostKeyError
from orch.inventory.hosts import Host
from orch.model.checkup import Checkup, Examination, Unexamined
from orch.observe.doctor import doctor_script, examine_fleet
from orch.remote.frames import Result
from orch.remote.link import Link
from orch.remote.pool import Pool
from tests.unit import checkups
from tests.unit.nodes import host


class Clinic(Pool):
    """Answers each host's examination with the text, or raises the error; `for_shell` errors come before that."""

    def __init__(
        self, answers: Mapping[str, str | HostError], for_shell: Mapping[str, HostError] | None = None
    ) -> None:
        self.answers, self.for_shell = answers, for_shell or {}
        self.asked: list[str] = []

    def link(self, host: Host) -> Link:
        return _Bed(host, self)


class _Bed(Link):
    def __init__(self, host: Host, clinic: Clinic) -> None:
        self.host, self._clinic = host, clinic

    async def run_script(self, script: str, *, stdin: str = "", timeout: float) -> Result:
        name = self.host.name
        self._clinic.asked.append(f"{name} as {self.host.login.become_user or 'itself'}")
        if name in self._clinic.for_shell:
            raise self._clinic.for_shell[name]
        if script != doctor_script():
            return Result(0, b"", b"", 0.0)
        answer = self._clinic.answers[name]
        if answer == "hangs":
            await asyncio.sleep(3600)
        if isinstance(answer, HostError):
            raise answer
        return Result(0, answer.encode(), b"", 0.2)


def becoming(name: str) -> Host:
    plain = host(name)
    return msgspec.structs.replace(plain, login=msgspec.structs.replace(plain.login, become_user="root"))


async def examine(pool: Clinic, unprivileged: Clinic | None = None, *, become: bool = False) -> Examination:
    patient = becoming("w1") if become else host("w1")
    return (await examine_fleet(pool, unprivileged or Clinic({}), [patient], timeout=5))["w1"]


async def test_a_host_is_examined() -> None:
    found = await examine(Clinic({"w1": checkups.HEALTHY}))

    assert isinstance(found, Checkup)
    assert (found.hostname, found.podman) == ("w1", "4.3.1")


@pytest.mark.parametrize(
    ("error", "check"),
    [
        (ConnectError("w1", "no way"), "reachable"),
        (AuthError("w1", "refused"), "login"),
        (HostKeyError("w1", "changed"), "host key"),
        (CommandError("w1", "no shell"), "shell"),
    ],
)
async def test_a_host_that_gives_no_shell_says_how_far_it_let_us_come(error: HostError, check: str) -> None:
    assert await examine(Clinic({}, {"w1": error})) == Unexamined(check, error.reason)  # type: ignore[arg-type]


async def test_a_shell_that_says_something_else_is_no_answer() -> None:
    found = await examine(Clinic({"w1": "csh: Badly placed ()'s.\n"}))

    assert isinstance(found, Unexamined)
    assert (found.check, found.unprivileged) == ("shell", None)
    assert found.reason.startswith('its shell did not run the examination to its end; it said: "csh: Badly placed')


async def test_an_examination_that_takes_too_long_is_the_shells_fault_and_not_sudos() -> None:
    found = await examine(Clinic({"w1": CommandError("w1", "gave no answer within 75 s")}), become=True)

    assert found == Unexamined("shell", "gave no answer within 75 s")


async def test_a_user_who_does_not_become_root_is_asked_as_itself() -> None:
    unprivileged = Clinic({"w1": checkups.UNPRIVILEGED})
    found = await examine(Clinic({}, {"w1": BecomeError("w1", "sudo: no")}), unprivileged, become=True)

    assert isinstance(found, Unexamined)
    assert (found.check, found.reason) == ("root", "sudo: no")
    assert found.unprivileged is not None
    assert found.unprivileged.user == "deploy"
    assert unprivileged.asked == ["w1 as itself"]


async def test_a_user_without_any_shell_has_no_trouble_with_root() -> None:
    unprivileged = Clinic({}, {"w1": CommandError("w1", "no shell at all")})
    found = await examine(Clinic({}, {"w1": BecomeError("w1", "sudo: no")}), unprivileged, become=True)

    assert found == Unexamined("shell", "no shell at all")


async def test_hosts_are_asked_side_by_side() -> None:
    answers = {"w1": "hangs", "w2": checkups.HEALTHY, "w3": checkups.HEALTHY}
    pool = Clinic(answers)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await examine_fleet(pool, Clinic({}), [host(name) for name in answers], timeout=5)

    assert pool.asked.count("w2 as itself") == pool.asked.count("w3 as itself") == 2


async def test_examinations_come_in_the_order_of_the_hosts() -> None:
    answers = {name: checkups.HEALTHY for name in ("w2", "w10", "w1")}
    found = await examine_fleet(Clinic(answers), Clinic({}), [host(name) for name in answers], timeout=5)

    assert list(found) == ["w2", "w10", "w1"]
