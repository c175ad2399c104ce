"""Reading one Compose file into a StackSpec.

Each `_read_…` takes the place in the file and returns a value of the model, or fails with that place's line.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeVar, cast, get_args

from orch.errors import InputError
from orch.located import Located, read_located, read_resources
from orch.model.images import complete_image
from orch.model.resources import Resources
from orch.model.spec import RestartCondition, RestartPolicy, ServiceSpec, StackSpec
from orch.podman.commands import fits_env_file
from orch.stackfile.variables import interpolate

T = TypeVar("T")
_TOP_KEYS = ("name", "services", "version")
_SERVICE_KEYS = (
    "command",
    "deploy",
    "entrypoint",
    "environment",
    "image",
    "restart",
    "scale",
    "stop_grace_period",
)
_DEPLOY_KEYS = ("mode", "replicas", "resources")
MAX_REPLICAS = 100_000

_STACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_IMAGE = re.compile(
    r"[a-z0-9][A-Za-z0-9._-]*(?::[0-9]+(?=/))?(?:/[a-z0-9][A-Za-z0-9._-]*)*(?::[A-Za-z0-9_][A-Za-z0-9._-]*)?(?:@[a-z0-9]+:[0-9a-fA-F]+)?"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(us|ms|s|m|h)")
_SECONDS = {
    "us": Decimal("0.000001"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}


def read_stack(path: Path, *, name: str | None, variables: Mapping[str, str]) -> StackSpec:
    """`name` overrides the file's own, which overrides the folder's. `variables` fill `${…}`.

    Raises InputError with file:line.
    """
    document = read_located(path)
    folder = re.sub(r"[^a-z0-9_-]", "", path.absolute().parent.name.lower()).lstrip("_-")
    return build_stack(document, name=name, fallback=folder or "stack", variables=variables)


def build_stack(document: Located, *, name: str | None, fallback: str, variables: Mapping[str, str]) -> StackSpec:
    """As `read_stack`, from a document that is read already."""
    top = _known(_interpolated(document, variables), _TOP_KEYS)
    if name is None:
        name = _read_name(top["name"]) if "name" in top else fallback
    if _STACK_NAME.fullmatch(name) is None:
        raise InputError(document.file, None, f"a stack cannot be called {name!r}: use a-z, 0-9, - and _")
    services = top["services"].mapping() if "services" in top else {}
    if not services:
        raise InputError(document.file, None, "has no services; expected services: NAME: image: …")
    return StackSpec(name, tuple(_read_service(key, services[key], variables) for key in sorted(services)))


def _interpolated(place: Located, variables: Mapping[str, str]) -> Located:
    value = place.value
    if isinstance(value, dict):
        return place.with_value({key: _interpolated(entry, variables) for key, entry in value.items()})
    if isinstance(value, list):
        return place.with_value([_interpolated(entry, variables) for entry in value])
    if isinstance(value, str) and "$" in value:
        return place.with_value(place.parsed(lambda text: interpolate(text, variables)))
    return place


def _known(place: Located, known: tuple[str, ...]) -> dict[str, Located]:
    """The entries, without those that Compose leaves to others: `x-…`."""
    extensions = [k for k in place.mapping() if k.startswith("x-")]
    entries = place.mapping(known=(*known, *extensions))
    return {key: entry for key, entry in entries.items() if key not in extensions}


def _read_name(place: Located) -> str:
    if _STACK_NAME.fullmatch(place.string()) is None:
        place.expected("a name of a-z, 0-9, - and _")
    return place.string()


def _read_service(name: str, place: Located, variables: Mapping[str, str]) -> ServiceSpec:
    if _SERVICE_NAME.fullmatch(name) is None:
        place.fail("a service's name is made of letters, digits, - and _, 63 at most")
    entries = _known(place, _SERVICE_KEYS)
    if "image" not in entries:
        place.fail("has no image; orch runs images and does not build them")
    deploy = _known(entries["deploy"], _DEPLOY_KEYS) if "deploy" in entries else {}
    if "mode" in deploy and deploy["mode"].string() != "replicated":
        deploy["mode"].expected("replicated, the only mode there is")
    resources = deploy["resources"].mapping(known=("limits", "reservations")) if "resources" in deploy else {}
    limit = _optional(resources, "limits", read_resources, Resources())
    asked = _optional(resources, "reservations", read_resources, Resources())
    # Who sets a limit alone is given it for sure, as Kubernetes does.
    request = Resources(asked.millicpus or limit.millicpus, asked.memory or limit.memory)
    _check_request(request, limit, resources)
    return ServiceSpec(
        name=name,
        image=_read_image(entries["image"]),
        command=_optional(entries, "command", _read_words, None),
        entrypoint=_optional(entries, "entrypoint", _read_words, None),
        environment=_optional(entries, "environment", lambda p: _read_environment(p, variables), {}),
        replicas=_read_replicas(entries, deploy),
        request=request,
        limit=limit,
        restart=_optional(entries, "restart", _read_restart, RestartPolicy()),
        stop_grace=_optional(entries, "stop_grace_period", _read_seconds, ServiceSpec("", "").stop_grace),
    )


def _optional(entries: Mapping[str, Located], key: str, read: Callable[[Located], T], default: T) -> T:
    return read(entries[key]) if key in entries and entries[key].value is not None else default


def _read_image(place: Located) -> str:
    image = place.string()
    if _IMAGE.fullmatch(image) is None:
        place.expected("the name of an image like redis:7")
    return complete_image(image)


def _read_words(place: Located) -> tuple[str, ...]:
    if isinstance(place.value, list):
        words = [(word.string(), word) for word in place.value]
    else:
        words = [(word, place) for word in place.parsed(shlex.split)]
    for word, where in words:
        if "\0" in word:
            where.fail("contains a NUL character")
    return tuple(word for word, _ in words)


def _read_environment(place: Located, variables: Mapping[str, str]) -> dict[str, str]:
    """As a mapping or as KEY=VALUE lines; a name without a value takes the caller's, if it has one."""
    pairs: list[tuple[str, str | None, Located]]
    if isinstance(place.value, list):
        split = [(entry.string().partition("="), entry) for entry in place.value]
        pairs = [(key, value if equals else None, entry) for (key, equals, value), entry in split]
    else:
        pairs = [(k, None if v.value is None else v.string(), v) for k, v in place.mapping().items()]
    environment = {}
    for key, given, entry in pairs:
        value = variables.get(key) if given is None else given
        # podman takes a line that begins with # for a comment.
        if not key or re.search(r"[\s=]|^#", key):
            entry.fail(f"{key!r} cannot name a variable")
        if value is None:
            continue
        if "\0" in value or "\0" in key:
            entry.fail("contains a NUL character")
        if not fits_env_file(key, value) and _VARIABLE.fullmatch(key) is None:
            entry.fail("a value of several lines or of 64 KiB needs a name of letters, digits and _")
        environment[key] = value
    return dict(sorted(environment.items()))


def _read_replicas(entries: Mapping[str, Located], deploy: Mapping[str, Located]) -> int:
    place = deploy.get("replicas") or entries.get("scale")
    if place is None:
        return 1
    replicas = place.integer()
    if replicas > MAX_REPLICAS:
        place.expected(f"at most {MAX_REPLICAS}")
    return replicas


def _check_request(request: Resources, limit: Resources, resources: Mapping[str, Located]) -> None:
    for what, asked, most in (
        ("cpus", request.millicpus, limit.millicpus),
        ("memory", request.memory, limit.memory),
    ):
        if most and asked > most:
            resources["reservations"].fail(f"reserves more {what} than the limit allows")


def _read_restart(place: Located) -> RestartPolicy:
    text = "no" if place.value is False else place.string()
    condition, colon, attempts = text.partition(":")
    if condition not in get_args(RestartCondition) or (colon and condition != "on-failure"):
        place.expected("no, always, unless-stopped, on-failure or on-failure:N")
    if colon and re.fullmatch("[0-9]{1,9}", attempts) is None:
        place.expected("a number of attempts after on-failure:")
    return RestartPolicy(cast(RestartCondition, condition), int(attempts or 0))


def _read_seconds(place: Located) -> int:
    """`1m30s` → 90; parts of a second round up."""
    text = place.string()
    parts = _DURATION.findall(text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text:
        place.expected("a duration like 10s or 1m30s")
    return math.ceil(sum(Decimal(number) * _SECONDS[unit] for number, unit in parts))
