"""What each node has left for new replicas."""

from __future__ import annotations

import pytest

from orch.controllers.rooms import allocatable_of, rooms
from orch.model.node import NodeObservation, NodeSpec
from orch.model.replica import Replica
from orch.model.resources import Resources
from orch.scheduler.claim import Room, ServiceName
from tests.unit.clusters import ALL, GIB, answers, node, replica_of, silent, web

WEB = web(request=Resources(500, GIB))


def plain(
    name: str, whole: Resources, free: Resources, services: dict[ServiceName, int] | None = None, closed: str = ""
) -> Room:
    """A room of a node of which the inventory says nothing but its name."""
    attributes = {
        "node.hostname": name,
        "node.id": name,
        "node.role": "worker",
        "node.platform.os": "linux",
        "node.platform.arch": "",
    }
    return Room(name, whole, free, services or {}, closed, attributes)


def only_room(spec: NodeSpec, seen: NodeObservation, *replicas: Replica) -> Room:
    (found,) = rooms([spec], {spec.name: seen}, replicas)
    return found


def test_an_empty_node_has_all_that_it_says_it_has() -> None:
    assert only_room(node("w1"), answers(capacity=ALL)) == plain("w1", ALL, ALL)


def test_what_replicas_were_placed_with_is_taken() -> None:
    there = [replica_of(WEB, "w1", number=1), replica_of(WEB, "w1", number=2)]

    assert only_room(node("w1"), answers(), *there) == plain("w1", ALL, Resources(3000, 2 * GIB), {("shop", "web"): 2})


def test_replicas_are_counted_for_each_service_of_each_stack() -> None:
    there = [replica_of(WEB, "w1"), replica_of(WEB, "w1", stack="blog"), replica_of(WEB, "w1", stack="blog", number=2)]

    assert only_room(node("w1"), answers(), *there).services == {("shop", "web"): 1, ("blog", "web"): 2}


def test_each_replica_takes_room_on_its_own_node_alone() -> None:
    found = rooms([node("w2"), node("w1")], {"w1": answers(), "w2": answers()}, [replica_of(WEB, "w1")])

    assert found == [plain("w2", ALL, ALL), plain("w1", ALL, Resources(3500, 3 * GIB), {("shop", "web"): 1})]


def test_replicas_of_nodes_outside_the_inventory_take_no_room() -> None:
    assert only_room(node("w1"), answers(), replica_of(WEB, "gone")) == plain("w1", ALL, ALL)


def test_what_is_reserved_is_not_for_replicas() -> None:
    spec = node("w1", reserved=Resources(1000, GIB))

    left = Resources(3000, 3 * GIB)
    assert allocatable_of(spec, answers()) == left
    assert only_room(spec, answers()) == plain("w1", left, left)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (Resources(2000, GIB), Resources(2000, GIB)),
        (Resources(2000, 0), Resources(2000, 4 * GIB)),
        (Resources(0, 8 * GIB), Resources(4000, 8 * GIB)),
    ],
    ids=["both", "cpu alone", "memory alone"],
)
def test_a_capacity_that_is_written_counts_over_what_was_seen(written: Resources, expected: Resources) -> None:
    assert allocatable_of(NodeSpec("w1", "w1.example", capacity=written), answers(capacity=ALL)) == expected


def test_a_node_with_more_placed_on_it_than_it_has_is_below_nothing() -> None:
    assert only_room(node("w1"), answers(capacity=Resources(100, 2 * GIB)), replica_of(WEB, "w1")).free == Resources(
        -400, GIB
    )


@pytest.mark.parametrize(
    ("spec", "seen", "closed"),
    [
        (node("w1"), answers(), ""),
        (node("w1", schedulable=False), answers(), "not schedulable"),
        (node("w1"), answers(problem="podman is missing"), "unsuitable"),
        (node("w1", schedulable=False), answers(problem="podman is missing"), "unsuitable"),
        (node("w1"), silent(), "unreachable"),
        (node("w1", schedulable=False), silent(), "unreachable"),
    ],
)
def test_a_closed_node_says_why(spec: NodeSpec, seen: NodeObservation, closed: str) -> None:
    assert only_room(spec, seen).closed == closed


def test_an_unreachable_node_has_no_room_but_still_its_replicas() -> None:
    assert only_room(node("w1"), silent(), replica_of(WEB, "w1")) == plain(
        "w1", Resources(), Resources(), {("shop", "web"): 1}, "unreachable"
    )
