"""The master's own machine as a host: figures from psutil, no connection."""

from __future__ import annotations

import psutil

from orch.model.node import Reachable
from orch.observe.fleet import observe_fleet
from orch.remote.pool import Pool
from tests.ssh.conftest import make_host


async def test_its_figures_are_the_machine_s_own() -> None:
    host = make_host(address="w1", connection="local")
    async with Pool() as pool:
        idle = (await observe_fleet(pool, [host], "prod"))["w1"]
        seen = (await observe_fleet(pool, [host], "prod", sample_seconds=0.1))["w1"]
    assert isinstance(idle, Reachable)
    assert isinstance(seen, Reachable)
    memory = psutil.virtual_memory()
    assert seen.facts.capacity.millicpus == (psutil.cpu_count() or 1) * 1000
    assert seen.facts.capacity.memory == memory.total
    assert 0 < seen.facts.memory_used < memory.total
    assert idle.facts.cpu_used is None
    assert seen.facts.cpu_used is not None
    assert seen.facts.kernel
    assert abs(seen.facts.clock_skew) <= seen.facts.clock_error + 0.1


async def test_nothing_is_connected_to() -> None:
    host = make_host(address="no-such-host.invalid", connection="local", port=1)
    async with Pool(connect_timeout=0.1) as pool:
        await pool.link(host).open()
        assert (await pool.link(host).run_script("echo in", timeout=5)).text == "in\n"
