"""Templates in variables: `{{ … }}`, rendered when a variable is asked for, each with all others of its host at hand.

jinja2 itself is in jinja.py, and is imported when the first template is met: most inventories have none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from orch.errors import InputError
from orch.inventory.problems import VariableError
from orch.inventory.variables import Variables
from orch.located import Located, Verbatim

if TYPE_CHECKING:
    from orch.inventory.jinja import Engine

VAULT = "$ANSIBLE_VAULT"
_MARKS = ("{{", "{%", "{#")
FLEET = ""
"""In the place of a host's name: the fleet as a whole, of which only the variables of `all` hold."""

Lookups = Mapping[str, Callable[[str], str]]


class Templates:
    """`variables`: host → what holds for it, and FLEET → what holds for all. `memberships`: host → its groups.

    `unread`: files of variables that could not be read, as a hint when one is missing.
    """

    def __init__(
        self,
        variables: Mapping[str, Variables],
        memberships: Mapping[str, Sequence[str]],
        groups: Mapping[str, Sequence[str]],
        folder: str,
        lookups: Lookups,
        unread: Sequence[str] = (),
    ) -> None:
        self.variables = variables
        self._memberships, self._groups, self._folder = memberships, groups, folder
        self._lookups, self._unread = lookups, unread
        self._engine: Engine | None = None
        self._done: dict[tuple[str, str], Located] = {}
        self._open: list[tuple[str, str]] = []

    def get(self, host: str, name: str) -> Located | None:
        """A variable with its templates rendered, or None. Raises InputError."""
        written = self.variables[host].get(name)
        if written is None or not _is_work(written):
            return written
        key = (host, name)
        if key in self._open:
            chain = [*self._open[self._open.index(key) :], key]
            written.fail(f"refers to itself: {' → '.join(self._name(*step, host) for step in chain)}")
        if key not in self._done:
            self._open.append(key)
            try:
                self._done[key] = self.render(host, written)
            finally:
                self._open.pop()
        return self._done[key]

    def render(self, host: str, written: Located) -> Located:
        """A value with the templates inside of it rendered. Raises InputError."""
        value = written.value
        if isinstance(value, dict):
            return written.with_value({key: self.render(host, entry) for key, entry in value.items()})
        if isinstance(value, list):
            return written.with_value([self.render(host, entry) for entry in value])
        if not isinstance(value, str) or not _is_work(written):
            return written
        if is_encrypted(written):
            written.fail(
                "is encrypted with ansible-vault, which orch does not decrypt; "
                "take it from elsewhere, as in {{ lookup('env', 'NAME') }}"
            )
        try:
            return to_located(self._evaluate(host, value), written)
        except ValueError as error:
            raise VariableError(written, str(error), host) from None
        except RecursionError:
            raise InputError(written.file, written.line, f"{written.path}: goes too deep") from None

    def _evaluate(self, host: str, text: str) -> object:
        if self._engine is None:
            from orch.inventory.jinja import Engine

            self._engine = Engine(self._lookups, self._unread)
        return self._engine.evaluate(text, HostScope(self, host))

    def known(self, host: str) -> dict[str, object]:
        """What Ansible tells of a host without its being written anywhere."""
        told: dict[str, object] = {"groups": self._groups, "inventory_dir": self._folder, "hostvars": AllScopes(self)}
        if host != FLEET:
            told["inventory_hostname"] = host
            told["inventory_hostname_short"] = host.partition(".")[0]
            told["group_names"] = sorted(name for name in self._memberships[host] if name != "all")
        return told

    def _name(self, host: str, name: str, seen_from: str) -> str:
        return name if host == seen_from else f"{host or 'all'}.{name}"


class HostScope(Mapping[str, object]):
    """The variables of one host as a template sees them: rendered when they are looked at."""

    def __init__(self, templates: Templates, host: str) -> None:
        self._templates, self._host = templates, host
        self._known = templates.known(host)

    def __contains__(self, name: object) -> bool:
        return name in self._known or name in self._templates.variables[self._host]

    def __getitem__(self, name: str) -> object:
        if name in self._known:
            return self._known[name]
        found = self._templates.get(self._host, name)
        if found is None:
            raise KeyError(name)
        return found.plain()

    def __iter__(self) -> Iterator[str]:
        return iter({**self._templates.variables[self._host], **self._known})

    def __len__(self) -> int:
        return len({**self._templates.variables[self._host], **self._known})


class AllScopes(Mapping[str, HostScope]):
    """`hostvars`: the variables of every host."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def __getitem__(self, host: str) -> HostScope:
        if host == FLEET or host not in self._templates.variables:
            raise KeyError(host)
        return HostScope(self._templates, host)

    def __iter__(self) -> Iterator[str]:
        return (host for host in self._templates.variables if host != FLEET)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def is_encrypted(written: Located) -> bool:
    return isinstance(written.value, str) and written.value.startswith(VAULT)


def _is_work(written: Located) -> bool:
    """Whether something in it is not yet what it stands for."""
    match written.value:
        case Verbatim():
            return is_encrypted(written)
        case str():
            return any(mark in written.value for mark in _MARKS) or is_encrypted(written)
        case dict():
            return any(_is_work(entry) for entry in written.value.values())
        case list():
            return any(_is_work(entry) for entry in written.value)
        case _:
            return False


def to_located(value: object, place: Located) -> Located:
    """What a template gave, at its place. Raises ValueError for what no YAML could have said."""
    match value:
        case str():
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise ValueError("gives half of a surrogate pair")
            return place.with_value(str(value))
        case bool() | float() | None:
            return place.with_value(value)
        case int():
            if abs(value) >= 10**300:
                raise ValueError("gives a number of more than 300 digits")
            return place.with_value(value)
        case Mapping():
            return place.with_value({str(key): to_located(entry, place) for key, entry in value.items()})
        case list() | tuple() | Iterator():
            return place.with_value([to_located(entry, place) for entry in value])
        case _:
            raise ValueError(f"gives a {type(value).__name__}, which is no value that YAML could say")
