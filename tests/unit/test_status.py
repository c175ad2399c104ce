"""Rows about replicas and nodes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orch.controllers.cluster import plan_cluster
from orch.controllers.status import (
    NodeStatus,
    ReplicaState,
    ReplicaStatus,
    brief_reason,
    node_statuses,
    replica_statuses,
)
from orch.model.node import Container, ContainerState, Facts, NodeObservation, NodeSpec, Reachable
from orch.model.plan import Desired
from orch.model.replica import Replica
from orch.model.resources import Resources
from orch.model.spec import StackSpec
from tests.unit.clusters import CLUSTER, GIB, MIB, answers, container_of, node, replica_of, shop, silent, web

WEB = web()
FIRST = replica_of(WEB, "w1")


def rows(
    observed: dict[str, NodeObservation], *replicas: Replica, stacks: tuple[StackSpec, ...] = (shop(WEB),)
) -> list[ReplicaStatus]:
    return replica_statuses(Desired(CLUSTER, tuple(map(node, observed)), stacks, replicas), observed)


def row(container: Container | None) -> ReplicaStatus:
    """Of a replica on a node that answers."""
    (found,) = rows({"w1": answers(*([container] if container else []))}, FIRST)
    return found


def test_a_slot_that_nothing_fills_is_pending() -> None:
    assert rows({"w1": answers()}) == [
        ReplicaStatus(
            stack="shop",
            service="web",
            slot=1,
            id=None,
            node=None,
            state="pending",
            ready=False,
            addresses=(),
            image="nginx:1",
            restarts=0,
            reason="no replica has been started yet",
            started_at=None,
        )
    ]


def test_a_running_replica_is_told_whole() -> None:
    restarted = msgspec.structs.replace(container_of(FIRST, WEB), restarts=3)

    assert row(restarted) == ReplicaStatus(
        stack="shop",
        service="web",
        slot=1,
        id=FIRST.id,
        node="w1",
        state="running",
        ready=True,
        addresses=("10.88.0.7",),
        image="nginx:1",
        restarts=3,
        reason="",
        started_at=900.0,
    )


def test_a_pending_slot_says_why_the_plan_refuses_it() -> None:
    specs = (web(request=Resources(0, 9 * GIB)),)
    observed: dict[str, NodeObservation] = {"w1": answers()}
    desired = Desired(CLUSTER, (node("w1"),), (shop(*specs),))

    (found,) = replica_statuses(desired, observed, plan_cluster(desired, observed, now=1000.0).refusals)

    assert found.reason == "it fits nowhere: the only node lacks 9g memory (most free: w1 4g)"


@pytest.mark.parametrize(
    ("restarts", "started_at", "reason"),
    [
        (0, 999.0, ""),
        (1, 999.0, "restarted once"),
        (4, 995.1, "restarted 4 times"),
        (4, 995.0, ""),
        (5, 900.0, "restarted 5 times"),
    ],
)
def test_one_that_keeps_ending_says_so_while_it_runs(restarts: int, started_at: float, reason: str) -> None:
    found = row(msgspec.structs.replace(container_of(FIRST, WEB), restarts=restarts, started_at=started_at))

    assert (found.state, found.reason) == ("running", reason)


def test_one_that_keeps_ending_says_how_it_ended_last() -> None:
    ended = container_of(FIRST, WEB, "exited", exit_code=1)

    assert row(msgspec.structs.replace(ended, restarts=7)).reason == "restarted 7 times, exited with 1"


def test_what_a_reboot_stopped_is_told_from_what_never_started() -> None:
    never = container_of(FIRST, WEB, "created")
    stopped = msgspec.structs.replace(never, started_at=900.0)

    assert row(never).reason == "its start was broken off; the next apply makes it anew"
    assert row(stopped).reason == "its host restarted; the next apply starts it again"


@pytest.mark.parametrize(
    ("seen", "brief"),
    [
        (silent("no route"), "w1 does not answer"),
        (answers(problem="podman is missing"), "w1 cannot be used"),
        (answers(), "it has no container; the next apply makes one"),
        (None, "w1 has left the inventory"),
    ],
)
def test_what_is_wrong_with_a_node_is_left_out_where_that_is_told(seen: NodeObservation | None, brief: str) -> None:
    observed = {"w1": seen} if seen else {}
    (found,) = rows(observed, FIRST, stacks=())

    assert brief_reason(found, observed) == brief


def test_a_replica_without_its_container_is_missing() -> None:
    found = row(None)

    assert (found.state, found.ready, found.id, found.image) == ("missing", False, FIRST.id, "nginx:1")
    assert found.reason == "it has no container; the next apply makes one"


@pytest.mark.parametrize("state", ["created", "paused", "removing", "unknown"])
def test_only_what_runs_is_ready_and_has_addresses(state: ContainerState) -> None:
    found = row(container_of(FIRST, WEB, state))

    assert (found.state, found.ready, found.addresses, found.exit_code) == (state, False, (), None)


@pytest.mark.parametrize(
    ("exit_code", "oom", "reason", "failed"),
    [
        (0, False, "exited with 0", False),
        (1, False, "exited with 1", True),
        (137, True, "exited with 137, out of memory", True),
    ],
)
def test_what_ended_says_how(exit_code: int, oom: bool, reason: str, failed: bool) -> None:
    found = row(container_of(FIRST, WEB, "exited", exit_code=exit_code, oom=oom))

    assert (found.state, found.exit_code, found.reason, found.failed) == ("exited", exit_code, reason, failed)


def test_what_runs_has_not_failed() -> None:
    assert not row(container_of(FIRST, WEB)).failed


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        ({}, "w1 has left the inventory"),
        ({"w1": silent("no route to host")}, "w1: no route to host"),
        ({"w1": answers(problem="podman is missing")}, "w1: podman is missing"),
    ],
)
def test_the_state_of_a_replica_on_a_node_that_tells_nothing_is_unknown(
    observed: dict[str, NodeObservation], reason: str
) -> None:
    (found,) = rows(observed, FIRST)

    assert (found.state, found.ready, found.reason) == ("unknown", False, reason)


def test_the_image_shown_is_the_one_that_runs() -> None:
    (found,) = rows({"w1": answers(container_of(FIRST, WEB))}, FIRST, stacks=(shop(web("nginx:2")),))

    assert found.image == "nginx:1"


def test_a_replica_that_is_not_wanted_any_more_is_still_shown() -> None:
    (found,) = rows({"w1": answers()}, FIRST, stacks=())

    assert (found.name, found.state, found.image) == ("shop/web.1", "missing", "")


def test_rows_are_sorted_by_slot_and_a_slot_with_two_replicas_has_two() -> None:
    two, again = web(replicas=2), replica_of(WEB, "w2", attempt=2)
    blog = StackSpec("blog", (web(),))

    found = rows({"w1": answers(), "w2": answers()}, FIRST, again, stacks=(shop(two), blog))

    assert [(r.name, r.node) for r in found] == [
        ("blog/web.1", None),
        ("shop/web.1", "w1"),
        ("shop/web.1", "w2"),
        ("shop/web.2", None),
    ]


def test_a_container_counts_for_its_own_node_alone() -> None:
    (found,) = rows({"w1": answers(), "w2": answers(container_of(FIRST, WEB))}, FIRST)

    assert found.state == "missing"


@pytest.mark.parametrize(
    ("state", "ready"), [("pending", False), ("running", True), ("exited", False)], ids=["pending", "running", "exited"]
)
def test_only_an_exit_with_a_status_other_than_0_is_a_failure(state: ReplicaState, ready: bool) -> None:
    for exit_code in (0, 1):
        status = ReplicaStatus("shop", "web", 1, None, None, state, ready, (), "", 0, "", None, exit_code)
        assert status.failed == (state == "exited" and exit_code == 1)


MORE: dict[str, Any] = {
    "system": "Debian GNU/Linux 12 (bookworm)",
    "kernel": "6.1.0-18-amd64",
    "arch": "x86_64",
    "load": 0.5,
    "disk_free": 7 * GIB,
    "clock_skew": -0.25,
    "clock_error": 0.01,
}


def node_row(spec: NodeSpec, seen: NodeObservation, *replicas: Replica) -> NodeStatus:
    (found,) = node_statuses(Desired(CLUSTER, (spec,), (), replicas), {spec.name: seen})
    return found


def test_a_node_that_answers_is_told_whole() -> None:
    facts = Facts(Resources(4000, 4 * GIB), memory_used=GIB, cpu_used=1250, podman="5.4.2", **MORE)
    there = [FIRST, replica_of(WEB, "w1", number=2), replica_of(WEB, "w2", number=3)]

    assert node_row(node("w1"), Reachable(1000.0, facts), *there) == NodeStatus(
        spec=node("w1"),
        state="ready",
        capacity=Resources(4000, 4 * GIB),
        requested=Resources(200, 128 * MIB),
        memory_used=GIB,
        cpu_used=1250,
        replicas=2,
        observed_at=1000.0,
        podman="5.4.2",
        reason="",
        **MORE,
    )


def test_of_a_silent_node_only_what_was_placed_there_is_known() -> None:
    assert node_row(node("w1"), silent("no route to host"), FIRST) == NodeStatus(
        spec=node("w1"),
        state="unreachable",
        capacity=None,
        requested=Resources(100, 64 * MIB),
        memory_used=None,
        cpu_used=None,
        replicas=1,
        observed_at=1000.0,
        podman=None,
        reason="no route to host",
        **dict.fromkeys(MORE),
    )


def test_an_unsuitable_node_says_why() -> None:
    found = node_row(node("w1"), answers(problem="podman is missing"))

    assert (found.state, found.reason, found.replicas) == ("unsuitable", "podman is missing", 0)


def test_the_capacity_that_is_written_is_shown_before_what_is_reserved_is_taken_off() -> None:
    spec = NodeSpec("w1", "w1.example", capacity=Resources(2000, 0), reserved=Resources(500, GIB))

    assert node_row(spec, answers()).capacity == Resources(2000, 4 * GIB)


def test_nodes_come_in_the_inventory_s_order() -> None:
    desired = Desired(CLUSTER, (node("w2"), node("w10"), node("w1")))

    found = node_statuses(desired, {"w1": answers(), "w10": silent(), "w2": answers()})

    assert [(n.spec.name, n.state) for n in found] == [("w2", "ready"), ("w10", "unreachable"), ("w1", "ready")]
