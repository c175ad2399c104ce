"""`healthcheck`."""

from __future__ import annotations

from orch.located import Located
from orch.model.container import Healthcheck
from orch.stackfile import values

_FORMS = ("NONE", "CMD", "CMD-SHELL")


def read_healthcheck(place: Located) -> Healthcheck:
    entries = place.mapping()
    if values.optional(entries, "disable", values.flag, False):
        return Healthcheck(("NONE",))
    test = values.optional(entries, "test", _test, ())
    if test[:1] == ("NONE",):
        return Healthcheck(("NONE",))
    return Healthcheck(
        test=test,
        interval=values.optional(entries, "interval", values.seconds, None),
        timeout=values.optional(entries, "timeout", values.seconds, None),
        retries=values.optional(entries, "retries", values.whole(), None),
        start_period=values.optional(entries, "start_period", values.seconds, None),
        start_interval=values.optional(entries, "start_interval", values.seconds, None),
    )


def _test(place: Located) -> tuple[str, ...]:
    """A text is a line for the shell; a list says itself what it is."""
    if not isinstance(place.value, list):
        return ("CMD-SHELL", place.string()) if place.string() else ()
    words = tuple(word.string() for word in place.value)
    if words and words[0] not in _FORMS:
        place.fail(
            f"expected a list that begins with {', '.join(_FORMS[:-1])} or {_FORMS[-1]}, or a text for the shell"
        )
    if words[:1] == ("CMD",) and len(words) == 1:
        place.fail("expected a command after CMD")
    if words[:1] == ("CMD-SHELL",) and len(words) != 2:
        place.fail("expected one text after CMD-SHELL")
    return words
