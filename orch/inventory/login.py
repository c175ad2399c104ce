"""How a host is reached: what the inventory says of it, as orch/remote acts on it."""

from __future__ import annotations

from typing import Literal

import msgspec

from orch.model.secret import Secret


class Login(msgspec.Struct, frozen=True):
    """Empty strings and a port of 0 mean: as ssh's own configuration says, or else its defaults. Paths are absolute.

    `proxy_jump` is written as for `ssh -J`: `[user@]host[:port]` once or several times, joined by commas; `none` for
    none at all. `ssh_config` is the file that `ssh -F` would name. `become_user` is empty when commands run as the user
    who logs in. `netns` names the network namespace of the master's machine in which its sockets are made, empty for
    its own. `connection` local: commands run on the master's own machine.
    """

    address: str
    port: int = 0
    user: str = ""
    key_file: str = ""
    known_hosts: str = ""
    become_user: str = ""
    netns: str = ""
    connection: Literal["ssh", "local"] = "ssh"
    proxy_jump: str = ""
    ssh_config: str = ""
    password: Secret = Secret()
    become_password: Secret = Secret()
