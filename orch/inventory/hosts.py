"""From a host's variables to what orch does with it: how to log in, and its part in the cluster."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from orch.inventory.login import Login
from orch.located import Located, read_resources
from orch.model.node import NodeSpec
from orch.model.resources import Resources

T = TypeVar("T")
_ORCH_KEYS = ("capacity", "cluster", "labels", "netns", "reserved", "schedulable")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?")
_CLUSTER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NETNS = re.compile(r"[A-Za-z0-9_.-]+")
_OPTION = re.compile(r"\s*([A-Za-z]+)\s*(?:=|\s)\s*(.+)")


class Host(msgspec.Struct, frozen=True):
    """One host of the inventory; `place` is file:line of its first mention."""

    name: str
    login: Login
    node: NodeSpec
    place: str


def read_host(name: str, variables: Mapping[str, Located], place: Located, folder: Path) -> Host:
    """`folder` is where relative paths start. Raises InputError."""
    reader = _Reader(variables, folder)
    ours = variables["orch"].mapping(known=_ORCH_KEYS) if "orch" in variables else {}
    address = reader.text("ansible_host") or name
    connection = reader.text("ansible_connection") or "ssh"
    if connection != "ssh":
        variables["ansible_connection"].expected("ssh, the only connection there is")
    return Host(
        name,
        Login(
            address=address,
            port=reader.port(),
            user=reader.text("ansible_user") or reader.text("ansible_ssh_user"),
            key_file=reader.path("ansible_ssh_private_key_file") or reader.path("ansible_private_key_file"),
            known_hosts=reader.known_hosts(),
            become_user=reader.become_user(),
            netns=_read(ours, "netns", lambda v: _matching(v, _NETNS, "the name of a network namespace"), ""),
        ),
        NodeSpec(
            name,
            address,
            labels=_read(ours, "labels", _labels, {}),
            schedulable=_read(ours, "schedulable", Located.boolean, True),
            capacity=_read(ours, "capacity", read_resources, Resources()),
            reserved=_read(ours, "reserved", read_resources, Resources()),
        ),
        f"{place.file}:{place.line}",
    )


def read_cluster(variables: Mapping[str, Located]) -> str | None:
    """The cluster's name in these variables' `orch`, or None when it has none. Raises InputError."""
    ours = variables["orch"].mapping(known=_ORCH_KEYS) if "orch" in variables else {}
    return _read(ours, "cluster", lambda v: _matching(v, _CLUSTER, "a name of a-z, 0-9 and -, 63 at most"), None)


def refuse_cluster(variables: Mapping[str, Located]) -> None:
    """Raises InputError for a cluster's name in variables that are not the whole fleet's."""
    if read_cluster(variables) is not None:
        variables["orch"].mapping()["cluster"].fail(
            "names the whole fleet, so it belongs into the vars of the group all"
        )


class _Reader:
    """Ansible's connection variables, each read as Ansible reads it."""

    def __init__(self, variables: Mapping[str, Located], folder: Path) -> None:
        self._variables, self._folder = variables, folder

    def text(self, name: str) -> str:
        variable = self._variables.get(name)
        if variable is None or variable.value is None:
            return ""
        text = variable.string()
        if "{{" in text or "{%" in text:
            variable.fail("is a template, and templates in inventories are not read; write the value itself")
        return text

    def path(self, name: str) -> str:
        text = self.text(name)
        return self._absolute(self._variables[name], text) if text else ""

    def _absolute(self, place: Located, text: str) -> str:
        try:
            return str((self._folder / Path(text).expanduser()).absolute())
        except RuntimeError:
            place.fail(f"{text!r} is in the home folder of nobody known here")

    def port(self) -> int:
        for name in ("ansible_port", "ansible_ssh_port"):
            if name in self._variables and self._variables[name].value is not None:
                port = self._variables[name].integer(least=1)
                if port > 65535:
                    self._variables[name].expected("a port up to 65535")
                return port
        return 0

    def become_user(self) -> str:
        become = self._variables.get("ansible_become")
        if become is None or not become.boolean():
            return ""
        method = self._variables.get("ansible_become_method")
        if method is not None and method.string() != "sudo":
            method.expected("sudo, the only method there is")
        return self.text("ansible_become_user") or "root"

    def known_hosts(self) -> str:
        """The file named by `-o UserKnownHostsFile=…`, the one ssh option that is read."""
        arguments = self._variables.get("ansible_ssh_common_args")
        if arguments is None or arguments.value is None:
            return ""
        words = arguments.parsed(shlex.split)
        path = ""
        while words:
            word = words.pop(0)
            if word == "-o" and words:
                word = f"-o{words.pop(0)}"
            option = _OPTION.fullmatch(word.removeprefix("-o")) if word.startswith("-o") else None
            if option is None or option[1].lower() != "userknownhostsfile":
                arguments.fail(f"{word!r} is not read here; known: -o UserKnownHostsFile=PATH")
            path = self._absolute(arguments, option[2])
        return path


def _read(entries: Mapping[str, Located], key: str, convert: Callable[[Located], T], default: T) -> T:
    return convert(entries[key]) if key in entries else default


def _matching(entry: Located, form: re.Pattern[str], expected: str) -> str:
    text = entry.string()
    if form.fullmatch(text) is None:
        entry.expected(expected)
    return text


def _labels(entry: Located) -> dict[str, str]:
    labels = {}
    for key, value in sorted(entry.mapping().items()):
        if _LABEL.fullmatch(key) is None:
            value.fail("a label's name is made of letters, digits and . _ / - inside")
        labels[key] = value.string()
    return labels
