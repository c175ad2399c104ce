"""jinja2, set up as Ansible does: what is undefined is an error, and a single expression keeps its type.

Templates can reach nothing but the variables they are given and the lookups; they run in jinja2's sandbox.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.runtime import Context, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orch.errors import InputError

_MAX_SIZE = 1_000_000
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class Engine:
    """`lookups`: kind → what fetches it. `unread`: files that may define what turns out to be undefined."""

    def __init__(self, lookups: Mapping[str, Callable[[str], str]], unread: Sequence[str]) -> None:
        self._lookups, self._unread = lookups, unread
        self._environment = _Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
        # With a context to hand over, jinja2 cannot fold `{{ 5 }}` into the text "5" beforehand.
        self._environment.finalize = jinja2.pass_context(_as_it_is)
        self._environment.filters |= _FILTERS
        self._environment.globals |= {"lookup": self._lookup}
        self._compiled: dict[str, jinja2.Template] = {}

    def evaluate(self, text: str, scope: Mapping[str, object]) -> object:
        """Raises ValueError, whose text says why, and whatever InputError looking into `scope` does."""
        try:
            if text not in self._compiled:
                self._compiled[text] = self._environment.from_string(text)
            template = self._compiled[text]
            # Shared means: looked into as it is, and not copied, so that nothing is rendered that is not needed.
            variables = cast(dict[str, Any], ChainMap(cast(dict[str, Any], scope), self._environment.globals))
            return _joined(list(template.root_render_func(template.new_context(variables, shared=True))))
        except InputError:
            raise
        except jinja2.UndefinedError as error:
            raise ValueError(f"{_plainly(error.message or 'undefined')}{self._remedy()}") from None
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"is not a template that can be read: {error.message}") from None
        # Whatever Python's own operations raise over unsuitable values, a template can make them raise.
        except Exception as error:
            raise ValueError(f"the template fails: {error or type(error).__name__}") from None

    def _remedy(self) -> str:
        remedy = "; define it for this host or its groups, or write {{ … | default(…) }}"
        if self._unread:
            remedy += f"; {', '.join(self._unread)} might, but ansible-vault has encrypted it, so it was not read"
        return remedy

    def _lookup(self, kind: str, *names: str, **options: str) -> str:
        """Ansible's, for one name: `lookup('env', 'USER', default='x')`, `lookup('file', 'path')`."""
        fetch = self._lookups.get(kind)
        if fetch is None:
            known = ", ".join(f"'{name}'" for name in sorted(self._lookups))
            raise ValueError(f"there is no lookup {kind!r} here; known: {known}")
        if len(names) != 1 or options.keys() - {"default"} or (options and kind != "env"):
            raise ValueError(f"expected lookup('{kind}', NAME)")
        return fetch(str(names[0])) or options.get("default", "")


class _Environment(ImmutableSandboxedEnvironment):
    """Values stay what they are until they are joined to text; operators cannot fill the memory."""

    code_generator_class = NativeCodeGenerator
    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and (abs(left) > _MAX_SIZE or abs(right) > 100):
            raise SecurityError("a power beyond all measure")
        if operator == "*" and any(
            isinstance(x, str | list | tuple) and _beyond(len(x), y) for x, y in _both(left, right)
        ):
            raise SecurityError("a repetition beyond all measure")
        return super().call_binop(context, operator, left, right)


def _both(left: object, right: object) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    return (left, right), (right, left)


def _beyond(length: int, times: object) -> bool:
    return isinstance(times, int) and length * times > _MAX_SIZE


def _plainly(message: str) -> str:
    """As a user would call the things that jinja2 names by their classes."""
    for name, plain in (("AllScopes", "hostvars"), ("HostScope", "hostvars[…]"), ("dict", "mapping")):
        message = message.replace(f"orch.inventory.templates.{name} object", plain).replace(f"{name} object", plain)
    return message


def _as_it_is(context: Context, value: object) -> object:
    return value


def _joined(values: Sequence[object]) -> object:
    """The value itself where the text is one expression; else all of them as text."""
    if len(values) != 1:
        return "".join(str(value) for value in values)
    if isinstance(values[0], Undefined):
        str(values[0])  # Raises, as a strict undefined value does when it is used.
    return values[0]


def _bool(value: object) -> bool:
    text = str(value).lower()
    if text not in _BOOLEANS:
        raise ValueError(f"expected true or false for `bool`, not {value!r}")
    return _BOOLEANS[text]


def _mandatory(value: object, message: str = "") -> object:
    if isinstance(value, Undefined):
        if message:
            raise jinja2.UndefinedError(message)
        str(value)
    return value


def _regex_replace(value: object, pattern: str, replacement: str, ignorecase: bool = False) -> str:
    return re.sub(pattern, replacement, str(value), flags=re.IGNORECASE if ignorecase else 0)


def _regex_search(value: object, pattern: str) -> str | None:
    match = re.search(pattern, str(value))
    return match[0] if match else None


def _split(value: object, separator: str | None = None) -> list[str]:
    return str(value).split(separator)


def _ternary(value: object, if_true: object, if_false: object) -> object:
    return if_true if value else if_false


_FILTERS: dict[str, Callable[..., object]] = {
    "bool": _bool,
    "mandatory": _mandatory,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "split": _split,
    "ternary": _ternary,
}
"""What inventories commonly use that jinja2 itself has not."""
