"""What each node has left for new replicas."""

from __future__ import annotations

import msgspec
import pytest

from orch.controllers.rooms import allocatable_of, rooms
from orch.model.container import Port
from orch.model.node import Facts, NodeObservation, NodeSpec, Taint
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


def test_what_constraints_may_ask_for_comes_from_inventory_and_node() -> None:
    spec = msgspec.structs.replace(node("w1"), labels={"zone": "north"})
    seen = msgspec.structs.replace(answers(), facts=Facts(ALL, arch="aarch64"))

    assert only_room(spec, seen).attributes == {
        "node.hostname": "w1",
        "node.id": "w1",
        "node.role": "worker",
        "node.platform.os": "linux",
        "node.platform.arch": "aarch64",
        "node.labels.zone": "north",
    }
    assert only_room(spec, silent()).attributes["node.labels.zone"] == "north"


def test_taints_go_with_the_room() -> None:
    taint = Taint("gpu", "NoSchedule")

    assert only_room(msgspec.structs.replace(node("w1"), taints=(taint,)), answers()).taints == (taint,)


def test_ports_that_replicas_took_are_taken_by_them() -> None:
    http = Port(80, 8080, mode="host")
    there = msgspec.structs.replace(replica_of(WEB, "w1", number=2), ports=(http,))

    assert only_room(node("w1"), answers(), there).ports == ((http, "shop/web.2"),)


@pytest.mark.parametrize(("seen", "known"), [(None, None), ((), frozenset()), (("a", "b"), frozenset({"a", "b"}))])
def test_volumes_that_nobody_asked_for_are_not_known(
    seen: tuple[str, ...] | None, known: frozenset[str] | None
) -> None:
    assert only_room(node("w1"), msgspec.structs.replace(answers(), volumes=seen)).volumes == known


def test_of_the_images_there_those_that_matter_are_told() -> None:
    seen = msgspec.structs.replace(answers(), images=("nginx:1", "other:1"))

    (found,) = rooms([node("w1")], {"w1": seen}, (), {"nginx:1", "absent:1"})
    assert found.images == {"nginx:1"}
