"""INVENTORY SECONDS: holds a connection to every host and probes each every SECONDS; prints a JSON line each second.

The probe is what a host says of its uptime, load and memory, by its shell alone. A host that does not answer in time
is asked again every second.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from orch.errors import HostError
from orch.inventory.fleet import read_fleet
from orch.remote.dial import allow_descriptors
from orch.remote.link import Link
from orch.remote.pool import Pool

PROBE = """
read -r up _ </proc/uptime; read -r load _ </proc/loadavg
n=0; while [ $n -lt 3 ] && read -r key value _; do n=$((n + 1)); echo "$key $value"; done </proc/meminfo
echo "up $up load $load"
"""
BATCHES = 25
AGAIN_SECONDS = 1.0


class Tally(msgspec.Struct):
    """Since the start; `away` are the hosts whose last probe failed."""

    asked: int = 0
    answered: int = 0
    late: int = 0
    away: int = 0
    reason: str = ""


async def main(inventory: str, every: float) -> None:
    allow_descriptors()
    fleet = read_fleet([Path(inventory)])
    tally = Tally()
    async with Pool() as pool, asyncio.TaskGroup() as group:
        for number, host in enumerate(fleet.hosts):
            # In batches, since packets that come together cost less; spread, since hosts that answer at once wait.
            start = time.monotonic() + every * (number % BATCHES) / BATCHES
            group.create_task(_watch(pool.link(host), tally, start, every))
        group.create_task(_tell(tally))


async def _watch(link: Link, tally: Tally, due: float, every: float) -> None:
    away = False
    while True:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tally.asked += 1
        try:
            result = await link.run_script(PROBE, timeout=every)
            assert result.status == 0, result
            assert b"MemAvailable:" in result.stdout, result
            tally.answered += 1
            tally.late += time.monotonic() - due > every
            tally.away -= away
            away = False
            due += every
            while due < time.monotonic():
                due += every
        except HostError as error:
            tally.reason = str(error)
            tally.away += not away
            away = True
            due = time.monotonic() + AGAIN_SECONDS


async def _tell(tally: Tally) -> None:
    while True:
        await asyncio.sleep(1)
        print(msgspec.json.encode(tally).decode(), flush=True)


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
