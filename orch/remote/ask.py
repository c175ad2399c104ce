"""Asking a person for a password or passphrase: only when one is needed, and each only once."""

from __future__ import annotations

import asyncio
from typing import Protocol

from orch.model.secret import Secret


class Asker(Protocol):
    async def ask(self, question: str) -> Secret | None:
        """The answer, not echoed, or None when nobody can be asked or no answer is given."""
        ...


class Nobody:
    """For where no person is: a pipe, a service, a test."""

    async def ask(self, question: str) -> Secret | None:
        return None


class Answers:
    """What was answered, for the length of one process. Many hosts that need one password at once ask once."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._given: dict[str, Secret | None] = {}
        self._one_at_a_time = asyncio.Lock()

    async def get(self, question: str) -> Secret | None:
        async with self._one_at_a_time:
            if question not in self._given:
                self._given[question] = await self._asker.ask(question)
            return self._given[question]

    def forget(self, question: str, wrong: Secret) -> None:
        """The answer was wrong: the next `get` asks again, unless somebody has already given another one."""
        if self._given.get(question) == wrong:
            del self._given[question]
