"""From a host pattern to hosts. What a pattern is: patterns.py."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from orch.inventory.patterns import (
    FromFile,
    Glob,
    Name,
    Part,
    Pattern,
    Regex,
    Slice,
    compile_regex,
    parse_pattern,
    render_part,
)


class PatternError(ValueError):
    """`remedy` is what the user may have meant, or empty."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.remedy = remedy
        super().__init__(message)


class Matcher:
    """`groups`: name → its hosts, all levels down. `read`: path → a file's text; raises ValueError."""

    def __init__(
        self, hosts: Sequence[str], groups: Mapping[str, Sequence[str]], read: Callable[[str], str] | None = None
    ) -> None:
        self._hosts, self._groups, self._read = hosts, groups, read

    def match(self, pattern: str) -> list[str]:
        """The hosts that `pattern` names, in the fleet's order.

        A part that names nothing, globs and regular expressions aside, is an error: it is a misspelling more often
        than not. Raises ValueError, whose text says which part.
        """
        return self._ordered(self._chosen(parse_pattern(pattern)))

    def _chosen(self, pattern: Pattern) -> set[str]:
        """As in Ansible: all plain parts first, then `&`, then `!`, wherever they stand."""
        plain = [part for part in pattern if not part.sign]
        chosen = {host for part in plain for host in self._named(part)} if plain else set(self._hosts)
        for part in pattern:
            if part.sign == "&":
                chosen &= self._named(part)
        for part in pattern:
            if part.sign == "!":
                chosen -= self._named(part)
        return chosen

    def _named(self, part: Part) -> set[str]:
        match part.what:
            case Name(text=text):
                found = self._by_name(text)
            case Glob(text=text):
                found = self._by_form(re.compile(fnmatch.translate(text)))
            case Regex(text=text):
                found = self._by_form(compile_regex(text))
            case FromFile(path=path):
                found = self._by_file(path)
        return found if part.slice is None else self._sliced(found, part, part.slice)

    def _by_name(self, name: str) -> set[str]:
        if name == "all":
            return set(self._hosts)
        found = set(self._groups.get(name, ())) | ({name} & set(self._hosts))
        if not found and name not in self._groups:
            near = nearest(name, [*self._groups, *self._hosts])
            raise PatternError(f"no host or group is called {name!r}", f"did you mean {near!r}?" if near else "")
        return found

    def _by_form(self, form: re.Pattern[str]) -> set[str]:
        in_groups = {host for group, members in self._groups.items() if form.match(group) for host in members}
        return in_groups | {host for host in self._hosts if form.match(host)}

    def _by_file(self, path: str) -> set[str]:
        if self._read is None:
            raise PatternError(f"the file of {'@' + path!r} is not read here")
        parts: list[Part] = []
        for number, line in enumerate(self._read(path).splitlines(), 1):
            text = line.partition("#")[0].strip()
            if text:
                parts += self._line_of_file(text, f"{path}:{number}")
        return self._chosen(tuple(parts)) if parts else set()

    def _line_of_file(self, text: str, place: str) -> Pattern:
        try:
            pattern = parse_pattern(text)
            if any(isinstance(part.what, FromFile) for part in pattern):
                raise ValueError(f"{text!r} names a file, and a file of hosts names no other")
            self._chosen(pattern)  # Whatever is wrong with this line is said with its place.
        except ValueError as error:
            raise PatternError(f"{place}: {error}", getattr(error, "remedy", "")) from None
        return pattern

    def _sliced(self, found: set[str], part: Part, cut: Slice) -> set[str]:
        hosts = self._ordered(found)
        first, last = (place + len(hosts) if place < 0 else place for place in (cut.first, cut.last))
        if not 0 <= first < len(hosts):
            raise PatternError(
                f"{render_part(part)!r} begins beyond the end; hosts there: {len(hosts)}, counted from 0"
            )
        return set(hosts[first : max(last, -1) + 1])

    def _ordered(self, chosen: set[str]) -> list[str]:
        return [host for host in self._hosts if host in chosen]


def match_hosts(pattern: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """As Matcher.match, where no files are read."""
    return Matcher(hosts, groups).match(pattern)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely a misspelling of."""
    import difflib

    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), None)
