"""What a container's mounts need on its node before it starts: folders and volumes; and their end. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from orch.model.command import Command
from orch.model.container import BindMount
from orch.model.spec import ServiceSpec
from orch.model.volume import VolumeSpec
from orch.podman.labels import CLUSTER, STACK, VOLUME
from orch.podman.within import within

VOLUME_SECONDS = 60
"""A driver may ask a server."""

_FOLDERS = 'for path; do [ -e "$path" ] || mkdir -p -- "$path" || exit 1; done'

# One that somebody made since the first look is as good.
_MAKE = """
name=$1
shift
podman volume exists "$name" && exit 0
podman volume create "$@" -- "$name" >/dev/null || podman volume exists "$name"
"""

# Word splitting is meant: podman's names of volumes have no spaces. podman prints the name of each that it removes.
_REMOVE = """
names=$(podman volume ls --quiet --filter "label=$1" --filter "label=$2") || exit 1
status=0
[ -z "$names" ] || podman volume rm -- $names || status=$?
podman volume ls --format 'left {{.Name}}' || exit 1
exit $status
"""


def folders_to_make(spec: ServiceSpec) -> tuple[str, ...]:
    """Sources of bind mounts that are made where nothing is."""
    return tuple(mount.source for mount in spec.mounts if isinstance(mount, BindMount) and mount.create)


def make_folders(paths: Iterable[str]) -> Command:
    return Command(within(VOLUME_SECONDS, ("sh", "-c", _FOLDERS, "sh", *paths)))


def make_volume(cluster: str, stack: str, volume: VolumeSpec) -> Command:
    """Make the volume where it is missing, with our labels. One that is there stays as it is, whoever made it."""
    ours = {CLUSTER: cluster, STACK: stack, VOLUME: volume.key}
    words = (
        *(("--driver", volume.driver) if volume.driver else ()),
        *(word for key, value in sorted(volume.options.items()) for word in ("--opt", f"{key}={value}")),
        *(word for key, value in sorted({**volume.labels, **ours}.items()) for word in ("--label", f"{key}={value}")),
    )
    return Command(within(VOLUME_SECONDS, ("sh", "-c", _MAKE.strip(), "sh", volume.name, *words)))


def has_volume(name: str) -> Command:
    return Command(within(VOLUME_SECONDS, ("podman", "volume", "exists", "--", name)))


def remove_volumes(cluster: str, stack: str) -> Command:
    """Remove all volumes that orch made for the stack, and no others; `parse_removed` reads what it prints."""
    argv = ("sh", "-c", _REMOVE.strip(), "sh", f"{CLUSTER}={cluster}", f"{STACK}={stack}")
    return Command(within(VOLUME_SECONDS, argv))


def parse_removed(text: str) -> tuple[list[str], set[str]]:
    """The names of the volumes that were removed, and of all that are on the node still."""
    lines = text.split("\n")
    left = {line.removeprefix("left ") for line in lines if line.startswith("left ")}
    return [line for line in lines if line and not line.startswith("left ")], left
