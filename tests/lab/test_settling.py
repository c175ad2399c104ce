"""An apply that started everything is not done before what it started keeps running, or it says why that does not."""

from __future__ import annotations

import re

from orch.inventory.fleet import read_fleet
from orch.master.settle import Patience
from orch.model.container import Healthcheck
from orch.model.spec import ServiceSpec
from orch.observe.fleet import observe_fleet
from orch.remote.pool import Pool
from tests.lab.direct import direct
from tests.lab.hosts import Operator


def one(command: str, extra: str = "") -> str:
    return (
        "name: shop\nservices:\n"
        f"  web: {{image: localhost/busybox, command: [sh, -c, {command!r}], stop_grace_period: 0s, {extra}}}\n"
    )


def test_a_crash_loop_is_no_success_and_is_told_with_its_last_output(op: Operator) -> None:
    text = one("echo begin; echo no such database >&2; exit 3", "restart: always")
    done = op.apply(text, status=1)
    assert re.search(r"^orch: shop/web\.1 on w1: it keeps ending: restarted \d+ times", done.stderr, re.MULTILINE)
    assert "; its last output:\n    " in done.stderr
    assert "\n    no such database\n" in done.stderr
    assert done.stderr.endswith("1 change, 1 not settled\n")
    told = op.json("apply", "-f", op.file(text), status=1)
    assert [(u["object"], u["node"]) for u in told["unsettled"]] == [("shop/web.1", "w1")]
    assert "no such database" in told["unsettled"][0]["output"]
    assert "not settled" not in op.apply(one("exit 4", "restart: always"), "--no-wait", status=None).stderr


def test_one_that_ends_right_after_its_start_is_told_of_by_the_same_apply(op: Operator) -> None:
    done = op.apply(one("echo 42; exit 5"), status=1)
    assert "orch: shop/web.1 on w1: it exited with 5; its last output:\n    42\n" in done.stderr
    assert op.ps()["shop/web.1"]["reason"] == "exited with 5"


def test_one_that_ends_well_is_a_success_where_nothing_shall_restart_it(op: Operator) -> None:
    assert op.apply(one("exit 0")).stderr.endswith("1 done, 1 change\n")


def test_one_that_needs_a_second_start_is_waited_for_unless_time_is_up(op: Operator) -> None:
    text = one("[ -e /ready ] && exec sleep 1000; touch /ready; exit 1", "restart: on-failure")
    done = op.apply(text, "--wait-timeout", "2", status=1)
    assert re.search(r"shop/web\.1 on w1: it has run for \d s, and was restarted once$", done.stderr, re.MULTILINE)
    assert op.apply(text).stderr.endswith("1 of 1 replicas running, nothing to change\n")


def test_one_that_takes_too_much_memory_is_told_so(op: Operator) -> None:
    text = one("tail /dev/zero", "deploy: {resources: {limits: {memory: 16m}}}")
    said = op.apply(text, status=1).stderr
    # Whether podman knows why depends on the host's cgroups.
    assert re.search(
        r"shop/web\.1 on w1: it exited with 137, (out of memory|killed, as for more memory than .* 16m)", said
    )


async def test_a_healthcheck_is_waited_for_and_one_that_fails_is_told_with_what_it_printed(op: Operator) -> None:
    good = Healthcheck(("CMD-SHELL", "[ -e /ready ]"), interval=1, retries=30)
    bad = Healthcheck(("CMD-SHELL", "echo cannot reach the database; exit 1"), interval=1, retries=1)
    command = ("sh", "-c", "sleep 2; touch /ready; sleep 1000")
    specs = [
        ServiceSpec(name, "localhost/busybox:latest", command=command, healthcheck=check)
        for name, check in (("good", good), ("bad", bad))
    ]
    waited: list[str] = []
    async with direct(op) as at, Pool() as pool:
        fleet = read_fleet([op.inventory])
        runs = [at.start(spec, "w1") for spec in specs]
        assert [o.error for o in await at.do(*runs)] == ["", ""]
        hosts = {host.name: host for host in fleet.hosts}
        patience = Patience(fleet.cluster, hosts, pool, seconds=60)
        pairs = [(run.replica, run.spec) for run in runs]
        observed = await observe_fleet(pool, fleet.hosts, fleet.cluster)
        done = await patience.wait(pairs, observed, lambda left: waited.extend(r.slot.service for r in left))
    assert [(u.replica.slot.service, u.why, u.output) for u in done.unsettled] == [
        ("bad", "its healthcheck fails", ("cannot reach the database",))
    ]
    assert "good" in waited
