"""`volumes` and `tmpfs` of a service, short and long."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from orch.located import Located
from orch.model.container import BindMount, Mount, TmpfsMount, VolumeMount
from orch.stackfile import disk, values
from orch.stackfile.reading import Reading
from orch.stackfile.shapes import LATER

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_FOR_DESKTOPS = ("cached", "consistent", "delegated", "default")
"""How Docker Desktop shares files with its virtual machine; nothing anywhere else."""

_SHORT_OPTIONS = ("ro", "rw", "nocopy", "z", "Z", *_PROPAGATIONS, *_FOR_DESKTOPS)
_NOT_MADE = ("cluster", "image", "npipe")


def read_mounts(entries: Mapping[str, Located], reading: Reading) -> tuple[Mount, ...]:
    """Sorted by target. Of one target, the volume that stands last counts, and one that is also a tmpfs is refused."""
    found: dict[str, Mount] = {}
    for place in values.items(entries, "volumes"):
        mount = _long(place, reading) if isinstance(place.value, dict) else _short(place, reading)
        if mount is not None:
            found[mount.target] = mount
    memory: dict[str, Mount] = {}
    for place in values.items(entries, "tmpfs"):
        mount = _tmpfs(place)
        if mount.target in found:
            place.fail(f"{mount.target} is a volume too; it can be one of them")
        memory[mount.target] = mount
    return tuple(sorted((found | memory).values(), key=lambda m: m.target))


def _short(place: Located, reading: Reading) -> Mount:
    written = place.string()
    if _WINDOWS.match(written):
        place.fail(
            f"{written[:60]!r} is a path of Windows, and nodes run Linux; use a named volume or a path like /srv/x"
        )
    first, *rest = written.split(":")
    if not rest:
        return VolumeMount(values.container_path(place))
    if len(rest) > 2 or not first or not rest[0]:
        place.expected("SOURCE:TARGET, SOURCE:TARGET:ro or TARGET alone")
    target = values.container_path(place.with_value(rest[0]))
    options = [option for option in ",".join(rest[1:]).split(",") if option]
    for option in options:
        if option not in _SHORT_OPTIONS:
            place.fail(f"{option!r} is no option of a volume; known are {', '.join(_SHORT_OPTIONS)}")
    read_only = "ro" in options and "rw" not in options
    if first[0] not in "./~":
        return VolumeMount(target, _volume(place, first, reading), read_only, "nocopy" not in options)
    return BindMount(
        target,
        _source(place, first, reading),
        read_only,
        propagation=next((o for o in options if o in _PROPAGATIONS), ""),
        selinux=next((o for o in options if o in {"z", "Z"}), ""),
    )


def _long(place: Located, reading: Reading) -> Mount | None:
    entries = place.mapping()
    kinds = ("volume", "bind", "tmpfs", *_NOT_MADE)
    kind = values.optional(entries, "type", values.one_of(*kinds), "")
    if not kind:
        place.fail("expected type: volume, bind or tmpfs")
    if "target" not in entries:
        place.fail("expected target: PATH, where it is in the container")
    target = values.container_path(entries["target"])
    read_only = values.optional(entries, "read_only", values.flag, False)
    if kind in _NOT_MADE:
        said = f"a mount of type {kind} {LATER}"
        reading.note(place, said, f"{said}; it is left out")
        return None
    if kind == "tmpfs":
        return _long_tmpfs(values.section(entries, "tmpfs"), target)
    source = values.optional(entries, "source", values.text, "")
    if kind == "volume":
        volume = values.section(entries, "volume")
        return VolumeMount(
            target,
            _volume(entries["source"], source, reading) if source else "",
            read_only,
            copy=not values.optional(volume, "nocopy", values.flag, False),
            subpath=values.optional(volume, "subpath", _subpath, ""),
        )
    if not source:
        place.fail("expected source: PATH, what of the node is mounted")
    bind = values.section(entries, "bind")
    return BindMount(
        target,
        _source(entries["source"], source, reading),
        read_only,
        create=values.optional(bind, "create_host_path", values.flag, True),
        propagation=values.optional(bind, "propagation", values.one_of(*_PROPAGATIONS), ""),
        selinux=values.optional(bind, "selinux", values.one_of("z", "Z"), ""),
    )


def _subpath(place: Located) -> str:
    path = PurePosixPath(place.string())
    if path.is_absolute() or ".." in path.parts:
        place.expected("a path inside the volume")
    return place.string()


def _volume(place: Located, key: str, reading: Reading) -> str:
    if key not in reading.volumes:
        place.fail(
            f"there is no volume {key[:60]!r} at the top level; expected volumes: {{{key[:60]}: }} beside services"
        )
    return reading.volumes[key]


def _source(place: Located, written: str, reading: Reading) -> str:
    """The path on the node."""
    if _WINDOWS.match(written):
        place.fail(f"{written[:60]!r} is a path of Windows, and nodes run Linux")
    if written.startswith("/"):
        return disk.absolute(reading.folder(place), written)
    if written.startswith("~"):
        path = _of_home(place, written, reading)
    else:
        path = disk.absolute(reading.folder(place), written)
    kind = "a path of this machine"
    reading.note(
        place, kind, f"{path} is {kind} and must be there on every node too; files come along as configs or secrets"
    )
    return path


def _of_home(place: Located, written: str, reading: Reading) -> str:
    home = reading.variables(place).get("HOME", "")
    if not (written == "~" or written.startswith("~/")) or not home.startswith("/"):
        place.expected("an absolute path of the node, since nobody's home is the same on all of them")
    return disk.absolute(reading.folder(place), home + written[1:])


def _tmpfs(place: Located) -> TmpfsMount:
    """`/run` or `/run:size=64m,mode=1777,noexec`."""
    path, _, written = place.string().partition(":")
    size, mode, options = 0, None, []
    for option in filter(None, written.split(",")):
        name, _, value = option.partition("=")
        if name == "size" and not value.endswith("%"):
            size = values.size(place.with_value(value))
        elif name == "mode":
            mode = values.mode(place.with_value(value))
        else:
            options.append(option)
    return TmpfsMount(values.container_path(place.with_value(path)), size, mode, tuple(dict.fromkeys(options)))


def _long_tmpfs(entries: Mapping[str, Located], target: str) -> TmpfsMount:
    size = values.optional(entries, "size", values.size, 0)
    return TmpfsMount(target, size, values.optional(entries, "mode", values.mode, None))
