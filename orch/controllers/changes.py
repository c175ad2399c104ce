"""What differs between two specs of a service, by the names that Compose has for it. Pure.

Names alone: what was and what is written there may be a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from orch.model.spec import ServiceSpec, StackSpec

_COMPOSE = {
    "request": "deploy.resources.reservations",
    "limit": "deploy.resources.limits",
    "stop_grace": "stop_grace_period",
    "pull": "pull_policy",
    "mounts": "volumes",
    "files": "configs and secrets",
    "mode": "deploy.mode",
    "service_labels": "deploy.labels",
    "placement": "deploy.placement",
    "update": "deploy.update_config",
    "rollback": "deploy.rollback_config",
    "options": "",
    "millicpus": "cpus",
}
"""Fields that Compose calls something else; an empty name adds nothing to those of what is within."""

_WHOLE = {"healthcheck", "restart"}
"""Short enough to be looked at as one."""


class Change(msgspec.Struct, frozen=True):
    """`keys` of `shop/web` differ, sorted: `environment.LEVEL`, `command`."""

    object: str
    keys: tuple[str, ...]


def spec_changes(before: Iterable[StackSpec], after: Iterable[StackSpec]) -> tuple[Change, ...]:
    """For the services that both have and that differ, sorted."""
    old = {(stack.name, spec.name): spec for stack in before for spec in stack.services}
    return tuple(
        Change(f"{stack.name}/{spec.name}", keys)
        for stack in sorted(after, key=lambda stack: stack.name)
        for spec in sorted(stack.services, key=lambda spec: spec.name)
        if (was := old.get((stack.name, spec.name))) is not None and (keys := changed_keys(was, spec))
    )


def changed_keys(old: ServiceSpec, new: ServiceSpec) -> tuple[str, ...]:
    return tuple(sorted(_differing("", old, new)))


def _differing(path: str, old: object, new: object) -> Iterable[str]:
    """The paths of what differs: of a mapping or a struct those of its parts, of all else its own."""
    if old == new:
        return
    if isinstance(old, msgspec.Struct) and isinstance(new, msgspec.Struct) and path not in _WHOLE:
        for field in old.__struct_fields__:
            yield from _differing(_join(path, _COMPOSE.get(field, field)), getattr(old, field), getattr(new, field))
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {*old, *new}:
            # None is never the value of one of ours, and so it stands for what is not there.
            yield from _differing(_join(path, str(key)), old.get(key), new.get(key))
    else:
        yield path


def _join(path: str, name: str) -> str:
    return ".".join(filter(None, (path, name)))
