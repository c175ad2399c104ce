"""From files to one merged document: variables filled in, short forms made long, `extends` and `include` followed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from orch.located import Located
from orch.stackfile import disk
from orch.stackfile.dotenv import parse_env
from orch.stackfile.keys import SERVICE, STACK
from orch.stackfile.merge import merge
from orch.stackfile.notices import Notices
from orch.stackfile.several import Several
from orch.stackfile.shapes import RESET, shaped
from orch.stackfile.variables import interpolate

_SECTIONS = ("configs", "models", "networks", "secrets", "services", "volumes")
_MOST_FILES = 1000
"""Files that include each other twice each would grow without end."""


class Scope(msgspec.Struct, frozen=True):
    """What a file's relative paths begin from, and what its variables are."""

    folder: Path
    variables: Mapping[str, str]


class Loader:
    """Reads whatever the given documents ask for. `scopes` knows each file's scope, by the file's name."""

    def __init__(self, notices: Notices) -> None:
        self.scopes: dict[str, Scope] = {}
        self._notices = notices
        self._extended_files: dict[tuple[str, int], Located] = {}
        self._files = 0

    def load(self, documents: Sequence[Located], scope: Scope, trail: tuple[str, ...] = ()) -> Located:
        """`trail`: the files whose inclusion led here. `!reset` values are still there. Raises InputError."""
        merged: Located | None = None
        for document in documents:
            place = self._prepared(document, scope)
            place = self._with_included(place, scope, (*trail, os.path.abspath(document.file)))
            place = self._with_extended(place, scope)
            merged = place if merged is None else merge(merged, place, STACK)
        assert merged is not None
        return merged

    def interpolated(self, place: Located, variables: Mapping[str, str]) -> Located:
        """Values, and not keys; unset variables are noted."""
        value = place.value
        if isinstance(value, dict):
            found, errors = dict[str, Located](), Several()
            for key, entry in value.items():
                with errors.part():
                    found[key] = self.interpolated(entry, variables)
            errors.settle()
            return place.with_value(found)
        if isinstance(value, list):
            return place.with_value([self.interpolated(entry, variables) for entry in value])
        if isinstance(value, str) and "$" in value:
            filled = place.parsed(lambda text: interpolate(text, variables))
            for name in filled.unset:
                message = f"the variable {name} is not set and counts as empty; ${{{name}:-}} says that it may"
                self._notices.add(place, f"unset {name}", message)
            return place.with_value(filled.text)
        return place

    def _prepared(self, document: Located, scope: Scope) -> Located:
        self._files += 1
        if self._files > _MOST_FILES:
            document.fail(f"more than {_MOST_FILES} files are read; do they include each other?")
        # A file that extends from itself by name keeps the scope it has.
        self.scopes.setdefault(document.file, scope)
        if document.value is None:
            return document.with_value({})
        return shaped(self.interpolated(document, scope.variables), STACK)

    def _with_extended(self, place: Located, scope: Scope) -> Located:
        services = place.mapping().get("services")
        if services is None or not services.mapping():
            return place
        entries = services.mapping()
        extended = {name: self._extended(name, entries, scope, ()) for name in entries}
        return place.with_value({**place.mapping(), "services": services.with_value(extended)})

    def _extended(
        self, name: str, services: Mapping[str, Located], scope: Scope, trail: tuple[tuple[str, str], ...]
    ) -> Located:
        service = services[name]
        extends = service.mapping().get("extends")
        if extends is None or extends.value is None:
            return service
        step = (service.file, name)
        if step in trail:
            extends.fail("extends itself, by way of others" if len(trail) > 1 else "extends itself")
        entries = extends.mapping()
        if "service" not in entries:
            extends.fail("expected service: NAME, the service to extend")
        file, base_name = entries.get("file"), entries["service"].string()
        where = f"{service.file}"
        if file is not None and file.value is not None:
            path = scope.folder / file.string()
            scope, where = Scope(path.parent, scope.variables), str(path)
            services = self._services_of(file, path, scope)
        if base_name not in services:
            extends.fail(f"there is no service {base_name} in {where}")
        base = self._extended(base_name, services, scope, (*trail, step))
        own = service.with_value({k: v for k, v in service.mapping().items() if k != "extends"})
        return merge(base, own, SERVICE)

    def _services_of(self, place: Located, path: Path, scope: Scope) -> Mapping[str, Located]:
        _refuse_elsewhere(place)
        key = (str(path), id(scope.variables))
        if key not in self._extended_files:
            document = disk.required_document(place, path)
            self._extended_files[key] = self._prepared(document, scope)
        services = self._extended_files[key].mapping().get("services")
        return services.mapping() if services else {}

    def _with_included(self, place: Located, scope: Scope, trail: tuple[str, ...]) -> Located:
        includes = place.mapping().get("include")
        if includes is None or includes.value is None or includes.tag == RESET:
            return place
        for entry in includes.items():
            place = _joined(place, self._included(entry, scope, trail))
        return place

    def _included(self, entry: Located, scope: Scope, trail: tuple[str, ...]) -> Located:
        entries = entry.mapping()
        places = entries["path"].items() if "path" in entries and entries["path"].value is not None else []
        if not places:
            entry.fail("expected path: FILE, the Compose file to include")
        paths = []
        for place in places:
            _refuse_elsewhere(place)
            path = scope.folder / place.string()
            if os.path.abspath(path) in trail:
                place.fail(f"{path} includes itself")
            paths.append(path)
        folder = paths[0].parent
        if "project_directory" in entries and entries["project_directory"].value is not None:
            folder = scope.folder / entries["project_directory"].string()
        variables = {**self._variables_of(entries, scope, folder), **scope.variables}
        documents = [disk.required_document(p, path) for p, path in zip(places, paths, strict=True)]
        return self.load(documents, Scope(folder, variables), trail)

    def _variables_of(self, entries: Mapping[str, Located], scope: Scope, folder: Path) -> dict[str, str]:
        found: dict[str, str] = {}
        if "env_file" in entries and entries["env_file"].value is not None:
            for place in entries["env_file"].items():
                source = disk.required_env(place, scope.folder / place.string())
                found |= parse_env(source, {**found, **scope.variables}, self._notices)
        elif path := disk.beside(folder):
            found = parse_env(disk.read_env_file(path), scope.variables, self._notices)
        return found


def _refuse_elsewhere(place: Located) -> None:
    text = place.string()
    if "://" in text or text.startswith(("git@", "github.com/")):
        place.fail("files from elsewhere are not fetched; put a copy beside this one and name it")


def _joined(place: Located, included: Located) -> Located:
    """Both documents' services, volumes and so on. What stands in both must be the same."""
    entries = dict(place.mapping())
    for section in _SECTIONS:
        theirs = included.mapping().get(section)
        if theirs is None or theirs.value is None:
            continue
        ours = entries.get(section)
        both = dict(ours.mapping()) if ours is not None else {}
        for key, entry in theirs.mapping().items():
            if key in both and both[key].plain() != entry.plain():
                both[key].fail(
                    f"stands in {entry.file}:{entry.line} too, which is included, and they differ; "
                    "included files are not merged, rename one"
                )
            both.setdefault(key, entry)
        entries[section] = (ours or theirs).with_value(both)
    return place.with_value(entries)
