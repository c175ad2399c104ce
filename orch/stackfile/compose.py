"""Compose files → StackSpec: where reading begins, and what concerns the stack as a whole."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from orch.errors import InputError
from orch.located import Located
from orch.model.spec import ServiceSpec, StackSpec
from orch.model.volume import FileSpec
from orch.stackfile import disk, values
from orch.stackfile.dotenv import parse_env
from orch.stackfile.files import Kind, Origin, read_file, used_files
from orch.stackfile.keys import STACK
from orch.stackfile.load import Loader, Scope
from orch.stackfile.merge import settled
from orch.stackfile.networks import read_networks, read_volumes, uses_default
from orch.stackfile.notices import Notice, Notices
from orch.stackfile.reading import Reading
from orch.stackfile.service import MAX_REPLICAS, check_name, is_provided, read_service
from orch.stackfile.several import Several
from orch.stackfile.shapes import notice_unused

__all__ = ["MAX_REPLICAS", "StackFile", "build_stack", "read_stack"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_NAME_VARIABLE, _PROFILES_VARIABLE = "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"


class StackFile(msgspec.Struct, frozen=True):
    """What the files say. `origins`: where the content of configs and secrets came from, by kind and key."""

    spec: StackSpec
    warnings: tuple[Notice, ...] = ()
    origins: Mapping[tuple[Kind, str], Origin] = {}


def read_stack(
    paths: Sequence[Path],
    *,
    name: str | None,
    variables: Mapping[str, str],
    profiles: Collection[str] = (),
    env_files: Sequence[Path] = (),
) -> StackFile:
    """The files in their order, a later one changing what an earlier one says; their relative paths begin in the folder
    of the first. `name` overrides COMPOSE_PROJECT_NAME, which overrides the files' own, which overrides the folder's.

    `variables` fill `${…}` and win over those of `env_files`, or of `.env` beside the first file when none is given.
    Without `profiles`, COMPOSE_PROFILES has them. Raises InputError, with file:line wherever there is one.
    """
    notices = Notices()
    folder = paths[0].parent
    documents = [disk.read_document(path) for path in paths]
    scope = Scope(folder, _environment(folder, env_files, variables, notices))
    fallback = re.sub(r"[^a-z0-9_-]", "", folder.absolute().name.lower()).lstrip("_-")[:63]
    return _stack(documents, scope, notices, name=name, fallback=fallback or "stack", profiles=profiles)


def build_stack(
    document: Located,
    *,
    name: str | None,
    fallback: str,
    variables: Mapping[str, str],
    folder: Path = Path(),
) -> StackFile:
    """As `read_stack`, from a document that is read already; relative paths begin in `folder`."""
    return _stack([document], Scope(folder, variables), Notices(), name=name, fallback=fallback, profiles=())


def _environment(
    folder: Path, env_files: Sequence[Path], variables: Mapping[str, str], notices: Notices
) -> Mapping[str, str]:
    found: dict[str, str] = {}
    beside = disk.beside(folder)
    for path in env_files or ([beside] if beside else []):
        found |= parse_env(disk.read_env_file(path), {**found, **variables}, notices)
    return {**found, **variables}


def _stack(
    documents: Sequence[Located],
    scope: Scope,
    notices: Notices,
    *,
    name: str | None,
    fallback: str,
    profiles: Collection[str],
) -> StackFile:
    loader = Loader(notices)
    try:
        name = _name(documents, scope, loader, name) or fallback
        scope = Scope(scope.folder, {**scope.variables, _NAME_VARIABLE: name})
        model = settled(loader.load(documents, scope))
    except RecursionError:
        raise InputError(documents[0].file, None, "is nested too deeply") from None
    enabled = set(profiles) or set(scope.variables.get(_PROFILES_VARIABLE, "").split(","))
    declared = _services(model, documents[0])
    model = _with_profiles(model, enabled)
    services = values.section(model.mapping(), "services")
    if not services:
        known = sorted({profile for place in declared.values() for profile in _profiles(place)})
        message = f"no service is enabled; --profile NAME enables some, of {', '.join(known)}"
        raise InputError(documents[0].file, None, message)
    notice_unused(model, STACK, notices)
    reading = Reading(loader.scopes, notices, services=tuple(services))
    return _read(name, model, services, reading)


def _read(name: str, model: Located, services: Mapping[str, Located], reading: Reading) -> StackFile:
    made = {key: place for key, place in services.items() if not is_provided(place)}
    if not made:
        next(iter(services.values())).fail("has a provider, and there is no other service that orch could run")
    errors = Several()
    volumes = read_volumes(model.mapping(), name, errors, reading)
    networks = read_networks(model.mapping(), name, any(uses_default(place) for place in made.values()), errors)
    files, origins = _files(model, made, reading, errors)
    reading = msgspec.structs.replace(
        reading, volumes={v.key: v.name for v in volumes}, networks={n.key: n.name for n in networks}
    )
    specs = {}
    for key in sorted(made):
        with errors.part():
            spec = read_service(key, made[key], files, reading)
            _check_dependencies(spec, services[key], services)
            # One that is left out is there already.
            kept_on = tuple(d for d in spec.depends_on if d.service in made or d.service not in services)
            specs[key] = msgspec.structs.replace(spec, depends_on=kept_on)
    errors.settle()
    _check_cycles(specs, services)
    kept = tuple(files[kind_key] for kind_key in sorted(files))
    stack = StackSpec(name, tuple(specs.values()), volumes, kept, networks)
    return StackFile(stack, reading.notices.all(), origins)


def _name(documents: Sequence[Located], scope: Scope, loader: Loader, given: str | None) -> str | None:
    """None leaves the choice to the folder."""
    if given is not None:
        if _NAME.fullmatch(given) is None:
            raise InputError(documents[0].file, None, f"a stack cannot be called {given!r}: use a-z, 0-9, - and _")
        return given
    if outside := scope.variables.get(_NAME_VARIABLE):
        if _NAME.fullmatch(outside) is None:
            raise InputError(
                documents[0].file, None, f"{_NAME_VARIABLE} is {outside!r}: a name is made of a-z, 0-9, - and _"
            )
        return outside
    found = None
    for document in documents:
        if "name" in document.mapping():
            place = loader.interpolated(document.mapping()["name"], scope.variables)
            if _NAME.fullmatch(place.string()) is None:
                place.expected("a name of a-z, 0-9, - and _")
            found = place.string()
    return found


def _with_profiles(model: Located, enabled: Collection[str]) -> Located:
    """Without the services whose profiles are not enabled; `*` enables all."""
    services = model.mapping().get("services")
    if services is None:
        return model
    kept = {key: place for key, place in services.mapping().items() if _is_enabled(place, enabled)}
    return model.with_value({**model.mapping(), "services": services.with_value(kept)})


def _is_enabled(service: Located, enabled: Collection[str]) -> bool:
    profiles = _profiles(service)
    return not profiles or "*" in enabled or not set(profiles).isdisjoint(enabled)


def _profiles(service: Located) -> tuple[str, ...]:
    return values.optional(service.mapping(), "profiles", values.texts, ())


def _services(model: Located, document: Located) -> Mapping[str, Located]:
    services = values.section(model.mapping(), "services")
    if not services:
        raise InputError(document.file, None, "has no services; expected services: NAME: image: …")
    errors = Several()
    for key, place in services.items():
        with errors.part():
            check_name(key, place)
    errors.settle()
    return services


def _files(
    model: Located, services: Mapping[str, Located], reading: Reading, errors: Several
) -> tuple[dict[tuple[Kind, str], FileSpec], dict[tuple[Kind, str], Origin]]:
    """The configs and secrets that some service uses; one that is wrong counts as an empty one."""
    specs: dict[tuple[Kind, str], FileSpec] = {}
    origins: dict[tuple[Kind, str], Origin] = {}
    for _, service in sorted(services.items()):
        used: list[tuple[Kind, str, Located]] = []
        with errors.part():
            used = used_files(service.mapping())
        for kind, key, place in used:
            known = (kind, key) in specs
            specs.setdefault((kind, key), FileSpec(kind, key, b""))
            with errors.part():
                declared = _declared(model, kind, key, place)
                if not known:
                    found = read_file(kind, key, declared, reading)
                    specs[kind, key], origins[kind, key] = found.spec, found.origin
    return specs, origins


def _declared(model: Located, kind: Kind, key: str, place: Located) -> Located:
    """The top level's entry for what is named at `place`."""
    declared = values.section(model.mapping(), f"{kind}s")
    if key not in declared:
        place.fail(f"there is no {kind} {key[:60]!r} at the top level; expected {kind}s: {{{key[:60]}: …}} there")
    return declared[key]


def _check_dependencies(spec: ServiceSpec, place: Located, services: Mapping[str, Located]) -> None:
    for dependency in spec.depends_on:
        if dependency.service not in services and dependency.required:
            entry = place.mapping()["depends_on"].mapping()[dependency.service]
            entry.fail(f"there is no service {dependency.service[:60]!r}, or none whose profile is enabled")


def _check_cycles(specs: Mapping[str, ServiceSpec], services: Mapping[str, Located]) -> None:
    """Services that wait for each other would never start."""
    waiting = {name: {d.service for d in spec.depends_on if d.service in specs} for name, spec in specs.items()}
    while ready := [name for name, others in waiting.items() if not others]:
        for name in ready:
            del waiting[name]
        for others in waiting.values():
            others.difference_update(ready)
    if waiting:
        path = [min(waiting)]
        while (following := min(waiting[path[-1]])) not in path:
            path.append(following)
        circle = [*path[path.index(following) :], following]
        entry = services[circle[0]].mapping()["depends_on"].mapping()[circle[1]]
        entry.fail(f"these wait for each other: {' → '.join(circle)}")
