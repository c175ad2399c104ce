"""The files of configs and secrets on a node: one folder for each replica, under a folder that only root can enter.

They are named by their place in the spec and not by what is in them: podman's command line and `podman inspect` show
the path, and from the hash of a short secret it could be guessed. Each replica has files of its own, so that they go
with its container and nobody has to count who else needs them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from orch.model.command import Command
from orch.model.replica import Replica
from orch.model.spec import ServiceSpec
from orch.model.volume import FileSpec
from orch.podman.labels import REPLICA
from orch.podman.within import within

ROOT = "/var/lib/orch"
FILE_SECONDS = 30

# Whoever runs it moves the new folder to its place, which is there whole or not at all; `sync` makes sure that a power
# cut does not leave empty files in it.
_WRITE = """
set -eu
umask 077
folder=$1
shift
rm -rf -- "$folder.new"
mkdir -p -- "$folder.new"
number=0
while [ $# -gt 0 ]; do
    IFS= read -r line
    file=$folder.new/$number
    printf %s "$line" | base64 -d >"$file"
    chown -- "$1:$2" "$file"
    chmod -- "$3" "$file"
    shift 3
    number=$((number + 1))
done
sync -- "$folder.new"/* 2>/dev/null || sync
"""
_REMOVE = '[ ! -e "$1" ] && [ ! -e "$1.new" ] || exec rm -rf -- "$1" "$1.new"'
_ID = re.compile(r"[a-z2-7]{12}")


def cluster_folder(cluster: str) -> str:
    """Where a node keeps what one cluster must find again there."""
    return f"{ROOT}/{cluster}"


def folder_of(cluster: str, replica: Replica) -> str:
    """Raises ValueError for an id that is none of orch's: it may come from a label that anybody wrote."""
    if _ID.fullmatch(replica.id) is None:
        raise ValueError(f"{replica.container} has the label {REPLICA}={replica.id!r}, which is none of orch's")
    return f"{cluster_folder(cluster)}/files/{replica.id}"


def file_path(cluster: str, replica: Replica, number: int) -> str:
    """The file of the spec's `files` with this number, from 0."""
    return f"{folder_of(cluster, replica)}/{number}"


def write_files(cluster: str, replica: Replica, spec: ServiceSpec, files: Iterable[FileSpec]) -> Command:
    """Write all files that the spec names into the replica's `FOLDER.new`. Their content goes over standard input, a
    line for each.

    Raises ValueError when one of them is not among `files`.
    """
    contents = {(file.key, file.digest): file.content for file in files}
    words: list[str] = []
    lines: list[str] = []
    for mount in spec.files:
        content = contents.get((mount.source, mount.digest))
        if content is None:
            raise ValueError(
                f"nobody knows what is in {mount.source}, for {mount.target}; apply the stack's file again"
            )
        words += [str(mount.uid), str(mount.gid), f"{mount.mode:o}"]
        lines.append(base64.b64encode(content).decode() + "\n")
    argv = ("sh", "-c", _WRITE.strip(), "sh", folder_of(cluster, replica), *words)
    return Command(within(FILE_SECONDS, argv), "".join(lines))


def remove_files(cluster: str, replica: Replica) -> Command:
    """Remove what `write_files` may have made."""
    return Command(within(FILE_SECONDS, ("sh", "-c", _REMOVE, "sh", folder_of(cluster, replica))))
