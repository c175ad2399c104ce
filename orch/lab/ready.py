"""Waiting until hosts can be used as servers are used: over SSH, their systemd up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from orch.errors import AuthError, HostError, HostKeyError, LabError
from orch.inventory.fleet import read_fleet
from orch.inventory.hosts import Host
from orch.lab.layout import Lab, LabPaths
from orch.remote.pool import Pool

BOOT_SECONDS = 60.0
_POLL_SECONDS = 0.1
_CONNECT_SECONDS = 3.0


async def wait_until_ready(lab: Lab, hosts: Sequence[str], *, timeout: float = BOOT_SECONDS) -> None:
    """Raises LabError, with the host's console, for one that is not up within `timeout` seconds."""
    paths = lab.paths()
    fleet = read_fleet([paths.inventory])
    deadline = time.monotonic() + timeout
    async with asyncio.TaskGroup() as group:
        for host in fleet.hosts:
            if host.name in hosts:
                group.create_task(_wait(paths, host, deadline))


async def _wait(paths: LabPaths, host: Host, deadline: float) -> None:
    while True:
        left = deadline - time.monotonic()
        try:
            # A new one each time: a pool remembers a failure for longer than a boot takes.
            async with Pool(connect_timeout=min(max(1.0, left), _CONNECT_SECONDS)) as pool:
                await pool.link(host).run_script("systemctl is-system-running --wait", timeout=max(1.0, left))
                return
        except (AuthError, HostKeyError):
            raise
        except HostError as error:
            if left <= 0:
                raise LabError(
                    f"{error}\nits console ({paths.console(host.name)}) ends:\n{_tail(paths, host.name)}"
                ) from error
        # sshd opens its port some time during the boot; nothing outside the host tells when.
        await asyncio.sleep(_POLL_SECONDS)


def _tail(paths: LabPaths, host: str) -> str:
    console = paths.console(host)
    return console.read_text(errors="replace")[-1000:] if console.exists() else "nothing"
