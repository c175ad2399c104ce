"""From a host's variables to what orch does with it: how to log in, and its part in the cluster."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec

from orch.inventory.connection import read_login
from orch.inventory.login import Login
from orch.inventory.ours import Ours
from orch.inventory.problems import Problems
from orch.inventory.templates import Templates
from orch.located import Located
from orch.model.node import NodeSpec


class Host(msgspec.Struct, frozen=True):
    """One host of the inventory; `place` is file:line of its first mention."""

    name: str
    login: Login
    node: NodeSpec
    place: str


def read_host(name: str, templates: Templates, place: Located, folder: Path, problems: Problems) -> Host:
    """`folder` is where relative paths start. Raises InputError."""
    ours = Ours(templates.variables[name], partial(templates.render, name), problems)
    login = read_login(name, partial(templates.get, name), folder, ours.netns(), problems)
    return Host(name, login, ours.node(name, login.address), f"{place.file}:{place.line}")
