"""What an inventory says of one host, for people to look at: each value with its place, and no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from orch.errors import InputError
from orch.inventory.fleet import Inventory
from orch.inventory.login import Login
from orch.inventory.templates import is_encrypted
from orch.inventory.variables import OURS
from orch.located import Located
from orch.model.secret import Secret

HIDDEN = "…"
_SECRET_NAME = re.compile(r"pass$|passw|passphrase|secret|token|credential|api_?key|vault", re.IGNORECASE)


class Told(msgspec.Struct, frozen=True):
    """One variable, or one value within `orch`. `place` is file:line; `error` says why there is no value."""

    name: str
    value: object
    place: str
    error: str = ""


def tell_variables(inventory: Inventory, host: str, login: Login | None) -> list[Told]:
    """All variables of a host, rendered, by name; those within `orch` one by one. Secrets are HIDDEN."""
    secrets = {s.reveal() for s in (login.password, login.become_password) if s} if login else set()
    told: list[Told] = []
    for name, written in sorted(inventory.templates.variables[host].items()):
        for path, leaf in _leaves(name, written) if name == OURS else [(name, written)]:
            told.append(_tell(inventory, host, path, leaf, secrets))
    return told


def _leaves(path: str, written: Located) -> Iterator[tuple[str, Located]]:
    if not isinstance(written.value, dict) or not written.value:
        yield path, written
        return
    for key, entry in sorted(written.value.items()):
        yield from _leaves(f"{path}.{key}", entry)


def _tell(inventory: Inventory, host: str, name: str, written: Located, secrets: set[str]) -> Told:
    place = f"{written.file}:{written.line}"
    if is_encrypted(written):
        return Told(name, HIDDEN, place, "encrypted with ansible-vault")
    try:
        templates = inventory.templates
        found = templates.get(host, name) if name in templates.variables[host] else templates.render(host, written)
    except InputError as error:
        return Told(name, None, place, str(error))
    return Told(name, hide(name, (found or written).plain(), secrets), place)


def hide(name: str, value: object, secrets: set[str]) -> object:
    """The value without what its name says is a secret, and without any of `secrets` inside of it."""
    match value:
        case dict():
            return {key: hide(key, entry, secrets) for key, entry in value.items()}
        case list():
            return [hide(name, entry, secrets) for entry in value]
        case None | bool():
            return value
        case _ if _SECRET_NAME.search(name):
            return HIDDEN
        case str():
            for secret in sorted(secrets, key=len, reverse=True):
                value = value.replace(secret, HIDDEN)
            return value
        case _:
            return HIDDEN if str(value) in secrets else value


def tell_login(login: Login) -> dict[str, object]:
    """What is said of how to get in; secrets are HIDDEN."""
    fields = msgspec.structs.asdict(login)
    shown = {name: HIDDEN if isinstance(value, Secret) and value else value for name, value in fields.items()}
    return {name: "" if isinstance(value, Secret) else value for name, value in shown.items()}
