"""Images: what podman is told to list, send and take in, and the reading of its answers. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from orch.model.command import Argv

LIST_SECONDS = 30
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_NAME = re.compile(
    r"(?:(?P<registry>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?)/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)

NAMES = "image {{.Repository}} {{.Tag}} {{.Digest}}"
"""A Go template for `podman images`: one line for each name, read by `parse_names`."""

VOLUMES = "volume {{.Name}}"
"""A Go template for `podman volume ls`."""


class Image(msgspec.Struct, frozen=True):
    """One image on one node. `id`: 64 hex digits; `size` in bytes; `containers`: how many are made from it.
    `read_only`: it lies in a store that podman does not write to."""

    id: str
    names: tuple[str, ...]
    size: int
    containers: int = 0
    read_only: bool = False


class _Row(msgspec.Struct, frozen=True):
    """As `podman images --format json` has it; names are under one key or the other, depending on its version."""

    Id: str
    Names: list[str] | None = None
    RepoTags: list[str] | None = None
    Size: int = 0
    Containers: int = 0
    ReadOnly: bool = False


def check_image_name(name: str) -> None:
    """Raises ValueError, whose text says what was expected."""
    if _NAME.fullmatch(name) is None or len(name) > 512:
        raise ValueError(
            f"{name!r} cannot name an image: expected [REGISTRY/]PATH[:TAG] like redis:7, the path in lower case"
        )


def list_images() -> Argv:
    return ("timeout", "-k", "5", str(LIST_SECONDS), "podman", "images", "--no-trunc", "--format", "json")


def parse_images(text: str) -> tuple[Image, ...]:
    """What `list_images` prints. Raises ValueError."""
    try:
        rows = msgspec.json.decode(text or "[]", type=list[_Row] | None) or []
    except msgspec.DecodeError as error:
        raise ValueError(f"podman listed its images in a way that cannot be read: {error}") from error
    return tuple(sorted((_image(row) for row in rows), key=lambda image: (image.names, image.id)))


def _image(row: _Row) -> Image:
    names = {name for name in [*(row.Names or ()), *(row.RepoTags or ())] if "<none>" not in name}
    return Image(parse_id(row.Id), tuple(sorted(names)), row.Size, row.Containers, row.ReadOnly)


def parse_id(text: str) -> str:
    """With or without `sha256:`. Raises ValueError."""
    match = _ID.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected an image's id, not {text.strip()[:100]!r}")
    return match[1]


def parse_names(line: str) -> tuple[str, ...]:
    """One line in NAMES, without its first word: the image's name with its tag, and with its digest."""
    repository, tag, digest = line.split(" ")
    if repository == "<none>":
        return ()
    tagged = () if tag == "<none>" else (f"{repository}:{tag}",)
    return tagged if digest == "<none>" else (*tagged, f"{repository}@{digest}")


def remove_images(names: Sequence[str]) -> Argv:
    """Never by force: podman refuses what a container is made from."""
    return ("timeout", "-k", "5", "300", "podman", "rmi", "--", *names)


_PREPARE = r"""
configured() {
    cat /usr/share/containers/containers.conf /etc/containers/containers.conf /etc/containers/containers.conf.d/*.conf |
        sed -n 's/^ *image_copy_tmp_dir *= *"\(.*\)".*/\1/p' | tail -n 1
}
[ -d "$base" ] || base=$(configured 2>/dev/null)
[ -d "$base" ] || base=/var/tmp
for old in "$base"/orch-image.*; do
    [ -d "$old" ] && ! kill -0 "${old##*.}" 2>/dev/null && rm -rf "$old"
done
folder=$base/orch-image.$$
give_up() {
    child=$!
    # What podman unpacks beside its own folder is known by what it has open.
    rest=$(ls -l "/proc/$child/fd" 2>/dev/null | sed -n 's|.* \(/var/tmp/oci[0-9]*\)/.*|\1|p')
    [ -z "$child" ] || kill -9 "$child"
    wait
    rm -rf "$folder" $rest
    exit 143
}
trap give_up HUP INT TERM
mkdir -m 700 "$folder" || exit 1
exec 3<&0
"""
_CONCLUDE = """ &
wait "$!"
status=$?
rm -rf "$folder"
[ "$status" = 0 ] || exit "$status"
"""
"""podman leaves its temporary files behind when it is ended, so they are in a folder of their own, with our process id:
it goes with us, or when the next one comes. In the background, since a shell that waits for a command in the foreground
hears no signals."""


def save_script(name: str, *, folder: str = "") -> str:
    """Shell text that prints the image as an archive, without compression.

    podman writes each layer to a temporary file before it prints it; `folder`: where, if not in its usual place.
    """
    save = shlex.join(("podman", "save", "--format", "docker-archive", "--", name))
    return f"base={shlex.quote(folder)}{_PREPARE}TMPDIR=$folder {save} </dev/null 3<&-{_CONCLUDE}exit 0"


def load_script(names: Sequence[str]) -> str:
    """Shell text that takes in an archive from its standard input, and then prints the ids of `names`, one a line."""
    inspect = shlex.join(("podman", "image", "inspect", "--format", "{{.Id}}", "--", *names))
    return f"base={_PREPARE}TMPDIR=$folder podman load --quiet <&3 >/dev/null{_CONCLUDE}exec {inspect}"


def archive_images(manifest: bytes) -> dict[str, str]:
    """Name → id, from the manifest.json of an archive that `podman save` or `docker save` made. Raises ValueError."""
    try:
        entries = msgspec.json.decode(manifest, type=list[dict[str, Any]])
        found = {
            str(name): parse_id(str(entry["Config"]).rpartition("/")[2].removesuffix(".json"))
            for entry in entries
            for name in entry.get("RepoTags") or ()
        }
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ValueError(f"its manifest.json cannot be read: {error}") from error
    if not found:
        raise ValueError("no image in it has a name; save it by its name and not by its id")
    return found
