"""Ansible's connection variables → Login. Which ones are read, and which name wins of several: `Connection`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from orch.inventory.login import Login
from orch.inventory.problems import Problems
from orch.inventory.ssh_options import SshOptions, first_of, parse_ssh_options
from orch.located import Located
from orch.model.secret import Secret

_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh")
_LOCAL = ("local", "ansible.builtin.local")
_SUDO = ("sudo", "ansible.builtin.sudo")
CONNECTION_VARIABLES = (
    "ansible_become",
    "ansible_become_method",
    "ansible_become_pass",
    "ansible_become_password",
    "ansible_become_user",
    "ansible_connection",
    "ansible_host",
    "ansible_password",
    "ansible_port",
    "ansible_private_key_file",
    "ansible_ssh_args",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_host",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_ssh_port",
    "ansible_ssh_private_key_file",
    "ansible_ssh_user",
    "ansible_user",
)
"""All that are acted on; others are the user's own, or Ansible's alone."""


def read_login(name: str, get: Callable[[str], Located | None], folder: Path, netns: str, problems: Problems) -> Login:
    """`get` gives a variable with its templates rendered; `folder` is where relative paths start. Raises InputError."""
    read = Connection(get, folder, problems)
    first, later = read.options("ansible_ssh_args"), read.options("ansible_ssh_common_args", "ansible_ssh_extra_args")
    return Login(
        address=read.text("ansible_host", "ansible_ssh_host") or name,
        port=first.port or read.port("ansible_port", "ansible_ssh_port") or later.port,
        user=first.user or read.text("ansible_user", "ansible_ssh_user") or later.user,
        key_file=first.key_file
        or read.path("ansible_ssh_private_key_file", "ansible_private_key_file")
        or later.key_file,
        known_hosts=first.known_hosts or later.known_hosts,
        become_user=read.become_user(),
        netns=netns,
        connection=read.connection(),
        proxy_jump=first.proxy_jump or later.proxy_jump,
        ssh_config=first.config or later.config,
        password=read.secret("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
        become_password=read.secret("ansible_become_password", "ansible_become_pass"),
    )


class Connection:
    """Reads variables by several names, of which the first that says something counts."""

    def __init__(self, get: Callable[[str], Located | None], folder: Path, problems: Problems) -> None:
        self._get, self._folder, self._problems = get, folder, problems

    def _first(self, *names: str) -> Located | None:
        for name in names:
            found = self._problems.attempt(partial(self._get, name), None)
            if found is not None and found.value is not None and found.value != "":
                return found
        return None

    def text(self, *names: str) -> str:
        found = self._first(*names)
        return self._problems.attempt(found.string, "") if found else ""

    def secret(self, *names: str) -> Secret:
        return Secret(self.text(*names))

    def path(self, *names: str) -> str:
        found = self._first(*names)
        return self._problems.attempt(lambda: self._absolute(found, found.string()), "") if found else ""

    def port(self, *names: str) -> int:
        found = self._first(*names)
        return self._problems.attempt(partial(_port, found), 0) if found else 0

    def connection(self) -> Literal["ssh", "local"]:
        found = self._first("ansible_connection")
        return self._problems.attempt(partial(_connection, found), "ssh") if found else "ssh"

    def become_user(self) -> str:
        become = self._first("ansible_become")
        if become is None or not self._problems.attempt(become.boolean, False):
            return ""
        method = self._first("ansible_become_method")
        if method is not None:
            self._problems.attempt(partial(_refuse_all_but_sudo, method), None)
        return self.text("ansible_become_user") or "root"

    def options(self, *names: str) -> SshOptions:
        """What all these variables say, earlier ones first. Paths are absolute."""
        options = SshOptions()
        for name in names:
            if found := self._first(name):
                options = first_of(options, self._problems.attempt(partial(self._options_of, found), SshOptions()))
        return options

    def _options_of(self, place: Located) -> SshOptions:
        read = place.parsed(parse_ssh_options)
        return SshOptions(
            user=read.user,
            port=read.port,
            key_file=self._absolute(place, read.key_file),
            known_hosts=self._absolute(place, read.known_hosts),
            proxy_jump=read.proxy_jump,
            # ssh's word for no file at all.
            config="/dev/null" if read.config == "none" else self._absolute(place, read.config),
        )

    def _absolute(self, place: Located, text: str) -> str:
        if not text:
            return ""
        try:
            return str((self._folder / Path(text).expanduser()).absolute())
        except RuntimeError:
            place.fail(f"{text!r} is in the home folder of nobody known here")


def _port(place: Located) -> int:
    port = place.integer(least=1)
    if port > 65535:
        place.expected("a port up to 65535")
    return port


def _connection(place: Located) -> Literal["ssh", "local"]:
    match place.string():
        case name if name in _SSH:
            return "ssh"
        case name if name in _LOCAL:
            return "local"
        case _:
            place.expected("ssh or local, the connections there are")


def _refuse_all_but_sudo(place: Located) -> None:
    if place.string() not in _SUDO:
        place.expected("sudo, the only method there is")
