"""Which images are where, who lacks which, and which of them nobody needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from orch.errors import RefusedError
from orch.model.images import complete_image
from orch.model.spec import StackSpec
from orch.podman.images import Image

Images = Mapping[str, Sequence[Image]]
"""Node → all its images; nodes of which they are not known are missing."""

LOCAL = "local"
"""What the master's own machine is called where a source is named."""

_TOLD = 3


class Spread(msgspec.Struct, frozen=True):
    """One image under one name, and where it is. `services`: those whose replicas are made from this name."""

    name: str
    id: str
    size: int
    nodes: tuple[str, ...]
    services: tuple[str, ...]


class Source(msgspec.Struct, frozen=True):
    """`node` is LOCAL for the master's own machine."""

    node: str
    id: str
    size: int


def spread(seen: Images, stacks: Iterable[StackSpec]) -> list[Spread]:
    """Sorted by name; images without a name have none."""
    users = _users(stacks)
    found: dict[tuple[str, str], tuple[int, list[str]]] = {}
    for node, images in seen.items():
        for image in images:
            for name in image.names or ("",):
                found.setdefault((name, image.id), (image.size, []))[1].append(node)
    return [
        Spread(name, ident, size, tuple(nodes), tuple(sorted(users.get(name, ()))))
        for (name, ident), (size, nodes) in sorted(found.items())
    ]


def _users(stacks: Iterable[StackSpec]) -> dict[str, set[str]]:
    users: dict[str, set[str]] = {}
    for stack in stacks:
        for service in stack.services:
            users.setdefault(complete_image(service.image), set()).add(f"{stack.name}/{service.name}")
    return users


def choose_source(name: str, places: Images, wanted: str | None, unknown: Mapping[str, str]) -> Source:
    """The first of `places` that has the image; with LOCAL among them, that is the first.

    `wanted`: only this one. `unknown`: place → why its images are not known. Raises RefusedError.
    """
    asked = {place: images for place, images in places.items() if wanted in {None, place}}
    having = {place: image for place, images in asked.items() if (image := _named(name, images)) is not None}
    if not having:
        missed = {place: why for place, why in unknown.items() if wanted in {None, place}}
        raise RefusedError(_nowhere(name, places, list(asked), missed))
    first, image = next(iter(having.items()))
    if first != LOCAL and len({other.id for other in having.values()}) > 1:
        told = ", ".join(f"{place} {other.id[:12]}" for place, other in having.items())
        raise RefusedError(f"{name} is not the same image everywhere ({told}); say with --from which is meant")
    return Source(first, image.id, image.size)


def _nowhere(name: str, places: Images, asked: Sequence[str], missed: Mapping[str, str]) -> str:
    text = f"there is no image {name}"
    if asked:
        text += f" on {', '.join(_shown(place) for place in asked)}"
    shown = list(missed.items())[:_TOLD]
    text += "".join(f"; {_shown(place)} could not be asked: {why}" for place, why in shown)
    if len(missed) > len(shown):
        text += f"; nor could {len(missed) - len(shown)} others"
    path = name.removeprefix("docker.io/").removeprefix("library/")
    similar = {n for images in places.values() for image in images for n in image.names if n.endswith(f"/{path}")}
    if similar:
        text += f"; {', '.join(sorted(similar))} is there: use the whole name, in the Compose file too"
    return text


def _shown(place: str) -> str:
    return "this machine" if place == LOCAL else place


def lacking(images: Mapping[str, str], seen: Images, targets: Iterable[str]) -> list[str]:
    """The targets that do not have all of `images` (name → id)."""
    return [
        target
        for target in targets
        if any(
            (image := _named(name, seen.get(target, ()))) is None or image.id != ident for name, ident in images.items()
        )
    ]


def _named(name: str, images: Iterable[Image]) -> Image | None:
    return next((image for image in images if name in image.names), None)


def unused(images: Iterable[Image], wanted: Collection[str]) -> list[Image]:
    """Those of one node that no container is made from and that have none of the names that are `wanted`."""
    return [
        image
        for image in images
        if not image.containers and not image.read_only and not any(name in wanted for name in image.names)
    ]


def wanted_images(stacks: Iterable[StackSpec]) -> frozenset[str]:
    """The names that services of the stacks have written, completed."""
    return frozenset(_users(stacks))
