"""Configs and secrets: what a stack declares, and what its services mount of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from orch.located import Located
from orch.model.container import FileKind, FileMount, Mount
from orch.model.volume import FileSpec
from orch.stackfile import disk, values
from orch.stackfile.reading import Reading

Kind = FileKind
_KINDS: tuple[Kind, ...] = ("config", "secret")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_FOLDERS: Mapping[Kind, str] = {"config": "", "secret": "/run/secrets"}
_HIGHEST_ID = 2**32 - 2


class Origin(msgspec.Struct, frozen=True):
    """Where a file's content came from: a path, a variable, or the Compose file itself."""

    source: Literal["file", "environment", "content"]
    name: str = ""


class DeclaredFile(msgspec.Struct, frozen=True):
    spec: FileSpec
    origin: Origin


def read_file(kind: Kind, key: str, place: Located, reading: Reading) -> DeclaredFile:
    """A config or secret that some service uses. Raises InputError, which repeats nothing of its content."""
    entries = {name: entry for name, entry in place.mapping().items() if entry.value is not None}
    if _KEY.fullmatch(key) is None:
        place.fail("its name is made of letters, digits, . _ and -")
    if (external := entries.get("external")) is not None and (isinstance(external.value, dict) or external.boolean()):
        external.fail(
            f"nodes keep no {kind}s beforehand; give its content with file: or environment:, "
            "from wherever the other one comes"
        )
    sources = [name for name in ("file", "environment", "content") if name in entries]
    if len(sources) != 1:
        known = "file, environment or content" if kind == "config" else "file or environment"
        place.fail(f"expected one of {known}, where its content comes from")
    given = entries[sources[0]]
    match sources[0]:
        case "file":
            path = disk.absolute(reading.folder(given), given.string())
            return DeclaredFile(FileSpec(kind, key, disk.read_file(given, path)), Origin("file", path))
        case "environment":
            name = given.string()
            if name not in reading.variables(given):
                given.fail(f"the variable {name[:60]} is not set, and the {kind}'s content comes from it")
            content = reading.variables(given)[name].encode(errors="surrogateescape")
            return DeclaredFile(FileSpec(kind, key, content), Origin("environment", name))
        case _:
            return DeclaredFile(FileSpec(kind, key, given.string().encode()), Origin("content"))


def read_file_mounts(
    entries: Mapping[str, Located],
    declared: Mapping[tuple[Kind, str], FileSpec],
    mounts: tuple[Mount, ...],
) -> tuple[FileMount, ...]:
    """Sorted by target. One that is a volume too is refused."""
    taken = {mount.target for mount in mounts}
    found = []
    for kind, key, place in used_files(entries):
        target = _target(kind, key, place)
        if target in taken:
            place.fail(f"{target} is a volume, a tmpfs or another kind of file too; it can be one of them")
        taken.add(target)
        found.append(_mount(target, place, declared[kind, key]))
    return tuple(sorted(found, key=lambda m: m.target))


def used_files(entries: Mapping[str, Located]) -> list[tuple[Kind, str, Located]]:
    """What a service uses: the kind, the key, and the place that names it. Of one target, the last entry counts."""
    used: list[tuple[Kind, str, Located]] = []
    for kind in _KINDS:
        by_target: dict[str, tuple[Kind, str, Located]] = {}
        for place in values.items(entries, f"{kind}s"):
            key = _source(place)
            by_target[_target(kind, key, place)] = kind, key, place
        used += by_target.values()
    return used


def _source(place: Located) -> str:
    if "source" not in place.mapping():
        place.fail("expected source: NAME, of the top level")
    return place.mapping()["source"].string()


def _target(kind: Kind, key: str, place: Located) -> str:
    entries = place.mapping()
    target = values.optional(entries, "target", values.text, key)
    where = entries.get("target", place)
    return values.container_path(where.with_value(target if target.startswith("/") else f"{_FOLDERS[kind]}/{target}"))


def _mount(target: str, place: Located, declared: FileSpec) -> FileMount:
    entries = place.mapping()
    return FileMount(
        source=declared.key,
        target=target,
        digest=declared.digest,
        uid=values.optional(entries, "uid", values.whole(0, _HIGHEST_ID), 0),
        gid=values.optional(entries, "gid", values.whole(0, _HIGHEST_ID), 0),
        mode=values.optional(entries, "mode", values.mode, 0o444),
        kind=declared.kind,
    )
