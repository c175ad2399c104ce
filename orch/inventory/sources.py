"""The files of inventories: which ones there are, and reading them. Of all of this package only this reads files.

A source is a file or a folder, as -i names it. Beside a file, and in a folder, stand group_vars/ and host_vars/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from orch.errors import InputError
from orch.inventory.problems import Problems
from orch.inventory.templates import VAULT
from orch.inventory.variables import Layer, Variables
from orch.located import Located, parse_located, read_text

_TAGS = ("!vault", "!vault-encrypted", "!unsafe")
_IGNORED = (
    "~", ".bak", ".cfg", ".ini", ".md", ".orig", ".pyc", ".pyo", ".retry", ".rpm", ".rst", ".swp", ".txt",
)  # fmt: skip
"""Ansible's own list of what in a folder is no inventory."""
_FOLDERS = ("group_vars", "host_vars")
_SUFFIXES = ("", ".yml", ".yaml", ".json")
_CONVERT = "convert it with `ansible-inventory -i {file} --list -y --export`"
_INI = re.compile(r"^[ \t]*(?:\[[^\]\n]+\][ \t]*(?:[#;].*)?$|[^\s#;:=\[{]+[ \t]+[A-Za-z_]+[ \t]*=)", re.MULTILINE)


class Layers(msgspec.Struct, frozen=True):
    """`unread` are the files that ansible-vault has encrypted: nothing is known of what they define."""

    layers: tuple[Layer, ...] = ()
    unread: tuple[str, ...] = ()


def inventory_files(sources: Sequence[Path], problems: Problems) -> list[Path]:
    """The inventories that `sources` mean, in the order in which later ones win over earlier ones."""
    none: list[Path] = []
    return [file for source in sources for file in problems.attempt(partial(_files_of, source), none)]


def folder_of(source: Path) -> Path:
    """Where what stands beside a source is, and where relative paths in it start."""
    return source if source.is_dir() else source.parent


def _files_of(source: Path) -> list[Path]:
    if not source.exists():
        raise InputError(source, None, "there is no such inventory; -i PATH or ORCH_INVENTORY names another")
    if not source.is_dir():
        return [source]
    files = list(_files_in(source))
    if not files:
        raise InputError(source, None, "has no inventory in it; expected files like hosts.yml")
    return files


def _files_in(folder: Path) -> Iterator[Path]:
    for entry in _listed(folder):
        if entry.name.startswith(".") or entry.name in _FOLDERS or entry.name.endswith(_IGNORED):
            continue
        if entry.is_dir():
            yield from _files_in(entry)
        else:
            yield entry


def _listed(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(os.listdir(folder))]
    except OSError as error:
        raise InputError(folder, None, f"cannot be listed: {error.strerror}") from error


def read_inventory_file(path: Path) -> Located:
    """One inventory. Raises InputError, which for another of Ansible's formats says how to convert it."""
    return parse_inventory(read_text(path), str(path))


def parse_inventory(text: str, file: str) -> Located:
    """As `read_inventory_file`, of a text that is read already."""
    if text.startswith("#!"):
        raise InputError(file, 1, f"is a program, and orch runs none for its inventory; {_CONVERT.format(file=file)}")
    if text.startswith(VAULT):
        raise InputError(file, 1, "is encrypted with ansible-vault, which orch does not decrypt; expected plain YAML")
    try:
        document = parse_located(text, file, tags=_TAGS)
    except InputError:
        _refuse_ini(text, file)
        raise
    if not isinstance(document.value, dict):
        _refuse_ini(text, file)
    elif "plugin" in document.value and isinstance(document.value["plugin"].value, str):
        document.value["plugin"].fail(f"is a plugin's settings, and orch has no plugins; {_CONVERT.format(file=file)}")
    return document


def _refuse_ini(text: str, file: str) -> None:
    if match := _INI.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise InputError(file, line, f"is in Ansible's INI format, and orch reads YAML; {_CONVERT.format(file=file)}")


def read_layers(folders: Sequence[Path], groups: Collection[str], hosts: Collection[str], problems: Problems) -> Layers:
    """What stands beside the inventories for these groups and hosts; files for others are left alone, as in Ansible.

    A folder that several sources are in counts at the place of the last one.
    """
    unread: list[str] = []
    once = list({folder.absolute(): folder for folder in reversed(folders)}.values())[::-1]

    def read(folder: Path, names: Collection[str]) -> dict[str, tuple[Variables, ...]]:
        none: dict[str, list[Path]] = {}
        found = problems.attempt(partial(_vars_files, folder, names), none)
        return {name: tuple(_read_all(files, unread, problems)) for name, files in found.items()}

    layers = [Layer(read(folder / "group_vars", groups), read(folder / "host_vars", hosts)) for folder in once]
    return Layers(tuple(layers), tuple(unread))


def _vars_files(folder: Path, names: Collection[str]) -> dict[str, list[Path]]:
    """Name → its files, for those of `names` that have any. Raises InputError for one that has two homes."""
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for entry in _listed(folder):
        suffix = next((s for s in _SUFFIXES[1:] if entry.name.endswith(s)), "")
        # A host may be called db.json: then that is its file, before it is the host db's.
        name = entry.name if entry.name in names else entry.name.removesuffix(suffix)
        if name not in names:
            continue
        if name in found:
            raise InputError(entry, None, f"stands beside {found[name].name}, of which Ansible reads one; join them")
        found[name] = entry
    return {name: list(_files_below(path)) if path.is_dir() else [path] for name, path in found.items()}


def _files_below(folder: Path) -> Iterator[Path]:
    for entry in _listed(folder):
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir():
            if not entry.suffix:
                yield from _files_below(entry)
        elif entry.suffix in _SUFFIXES:
            yield entry


def _read_all(files: Sequence[Path], unread: list[str], problems: Problems) -> Iterator[Variables]:
    for path in files:
        text = problems.attempt(partial(read_text, path), "")
        if text.startswith(VAULT):
            unread.append(str(path))
        else:
            yield problems.attempt(partial(_parse_variables, text, str(path)), {})


def _parse_variables(text: str, file: str) -> Variables:
    return parse_located(text, file, tags=_TAGS).mapping()


def lookups(folder: Path) -> Mapping[str, Callable[[str], str]]:
    """What `lookup(KIND, …)` in a template may fetch. Each raises ValueError for what is not there."""
    return {"env": lambda name: os.environ.get(name, ""), "file": lambda name: _text_of(folder, name)}


def _text_of(folder: Path, name: str) -> str:
    try:
        return (folder / Path(name).expanduser()).read_text(encoding="utf-8").rstrip()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"the file {name} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def read_hosts_file(path: str) -> str:
    """The text of a pattern's `@FILE`. Raises ValueError."""
    return _text_of(Path(), path)
