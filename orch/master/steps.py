"""What one action is on its node: commands, one after another. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from orch.model.command import Command
from orch.model.container import VolumeMount
from orch.model.plan import Forget, Remove, Run
from orch.podman import commands
from orch.podman.files import FILE_SECONDS, folder_of, remove_files, write_files
from orch.podman.guard import END_SECONDS, end_start
from orch.podman.volumes import VOLUME_SECONDS, folders_to_make, has_volume, make_folders, make_volume


class Step(msgspec.Struct, frozen=True):
    """`seconds`: after which the command ends itself. `what` begins the message of a failure. Of those with the same
    `once`, if any, one is enough for a node. `remedy` is for a command that says nothing when it fails. `makes`: a
    folder that is to be there whole or not at all. `starts`: it is the start itself."""

    command: Command
    seconds: int
    what: str = "podman"
    once: str = ""
    image: str = ""
    remedy: str = ""
    makes: str = ""
    starts: bool = False


def steps_of(cluster: str, action: Run | Remove | Forget, *, run_seconds: int = commands.RUN_SECONDS) -> list[Step]:
    """A start that needs nothing but its image is one command. Raises ValueError for files whose content is not
    known."""
    match action:
        case Run():
            return [*_preparations(cluster, action), _start(cluster, action, run_seconds)]
        case Remove(replica, container):
            command, seconds = commands.remove(container, replica.stop_grace), commands.REMOVE_SECONDS
            if not container:
                command, seconds = end_start(cluster, replica), END_SECONDS
            # The files go before the record does, so that none is ever left of what nobody knows.
            cleaning = Step(remove_files(cluster, replica), FILE_SECONDS, "its files cannot be removed")
            return [Step(command, replica.stop_grace + seconds), cleaning]
        case Forget(replica):
            return [Step(remove_files(cluster, replica), FILE_SECONDS, "its files cannot be removed")]


def _start(cluster: str, action: Run, seconds: int) -> Step:
    command = commands.run(cluster, action.replica, action.spec, seconds=seconds)
    return Step(command, seconds, image=action.spec.image, starts=True)


def _preparations(cluster: str, action: Run) -> Iterator[Step]:
    spec, stack = action.spec, action.replica.slot.stack
    if spec.files:
        command = write_files(cluster, action.replica, spec, action.files)
        folder = folder_of(cluster, action.replica)
        yield Step(command, FILE_SECONDS, "its configs and secrets cannot be written", makes=folder)
    if folders := folders_to_make(spec):
        yield Step(make_folders(folders), VOLUME_SECONDS, "the folders of its mounts cannot be made")
    used = {mount.volume for mount in spec.mounts if isinstance(mount, VolumeMount) and mount.volume}
    for volume in action.volumes:
        if volume.name not in used:
            continue
        if volume.external:
            remedy = (
                f"there is no volume {volume.name}, which is external: make it there with `podman volume create "
                f"{volume.name}`, or correct its name"
            )
            yield Step(has_volume(volume.name), VOLUME_SECONDS, once=f"volume {volume.name}", remedy=remedy)
        else:
            making = make_volume(cluster, stack, volume)
            what = f"volume {volume.name} cannot be made"
            yield Step(making, VOLUME_SECONDS, what, once=f"volume {volume.name}")
