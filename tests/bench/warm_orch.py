"""INVENTORY HOSTS ROUNDS: prints the CPU, in ms, of one command over connections that are held, shells open."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from orch.inventory.fleet import read_fleet
from orch.remote.link import Link
from orch.remote.pool import Pool


async def main(inventory: str, hosts: int, rounds: int) -> None:
    fleet = read_fleet([Path(inventory)])
    async with Pool() as pool:
        links = [pool.link(host) for host in fleet.hosts]
        await _everywhere(links)
        began = time.process_time()
        for _ in range(rounds):
            await _everywhere(links)
        spent = time.process_time() - began
    print(spent * 1000 / rounds / hosts)


async def _everywhere(links: list[Link]) -> None:
    results = await asyncio.gather(*(link.run_script("/bin/true", timeout=10) for link in links))
    assert all(result.status == 0 for result in results)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
