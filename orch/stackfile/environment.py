"""`environment`, `env_file`, `labels`, `label_file`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orch.located import Located
from orch.podman.commands import fits_env_file
from orch.stackfile import disk, values
from orch.stackfile.dotenv import parse_env, parse_raw_env
from orch.stackfile.reading import Reading
from orch.stackfile.shapes import trouble_of

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "orch."
"""What labels of ours begin with."""


def read_environment(entries: Mapping[str, Located], reading: Reading) -> dict[str, str]:
    """The files first, then what the service says itself; a name without a value takes the caller's, if it has one."""
    environment: dict[str, str] = {}
    for entry in _env_files(entries):
        for name, value in _env_file(entry, reading).items():
            _check_variable(entry, name, value)
            environment[name] = value
    for name, entry in values.section(entries, "environment").items():
        given = reading.variables(entry).get(name) if entry.value is None else entry.string()
        _check_variable(entry, name, given or "")
        if given is not None:
            environment[name] = given
    return dict(sorted(environment.items()))


def read_labels(entries: Mapping[str, Located], reading: Reading) -> dict[str, str]:
    """The containers' labels; those of a file count less than the service's own."""
    labels: dict[str, str] = {}
    for place in values.items(entries, "label_file"):
        source = disk.required_env(place, reading.folder(place) / place.string())
        for key, value in parse_env(source, reading.variables(place), reading.notices).items():
            _check_label(place, key, value)
            labels[key] = value
    return dict(sorted((labels | values.optional(entries, "labels", own_labels, {})).items()))


def own_labels(place: Located) -> dict[str, str]:
    labels = values.pairs(place)
    for key, entry in place.mapping().items():
        _check_label(entry, key, labels[key])
    return labels


def _env_files(entries: Mapping[str, Located]) -> list[Located]:
    """Each path once, where it is named last."""
    found: dict[str, Located] = {}
    for entry in values.items(entries, "env_file"):
        if "path" not in entry.mapping():
            entry.fail("expected path: FILE")
        path = entry.mapping()["path"].string()
        found.pop(path, None)
        found[path] = entry
    return list(found.values())


def _env_file(entry: Located, reading: Reading) -> dict[str, str]:
    entries = entry.mapping()
    path = reading.folder(entry) / entries["path"].string()
    required = values.optional(entries, "required", values.flag, True)
    raw = values.optional(entries, "format", values.one_of("raw", "dotenv"), "") == "raw"
    if not required and not disk.exists(path):
        return {}
    source = disk.required_env(entries["path"], path)
    variables = reading.variables(entry)
    return parse_raw_env(source, variables) if raw else parse_env(source, variables, reading.notices)


def _check_variable(place: Located, name: str, value: str) -> None:
    # podman takes a line that begins with # for a comment.
    if not name or re.search(r"[\s=]|^#", name):
        place.fail(f"{name!r} cannot name a variable")
    if trouble := trouble_of(f"{name}={value}"):
        place.fail(f"{name!r} {trouble}")
    if not fits_env_file(name, value) and _VARIABLE.fullmatch(name) is None:
        place.fail("a value of several lines or of 64 KiB needs a name of letters, digits and _")


def _check_label(place: Located, key: str, value: str) -> None:
    if key.startswith(_OURS):
        place.fail(f"labels that begin with {_OURS} are orch's own; call it something else")
    if "=" in key or not key:
        place.fail(f"{key!r} cannot be a label")
    if trouble := trouble_of(f"{key}={value}"):
        place.fail(f"{key!r} {trouble}")
