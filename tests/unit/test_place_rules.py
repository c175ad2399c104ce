"""Placement by what a Compose file may ask: constraints, taints, ports, volumes, spreading; and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from orch.model.container import Port
from orch.model.node import Taint
from orch.model.placement import Constraint, PlacementPolicy, Toleration, parse_constraint
from orch.model.replica import Slot
from orch.model.resources import Resources
from orch.scheduler.claim import Claim, Held, Need, Room
from orch.scheduler.filters import unmet
from orch.scheduler.place import Placement, place
from tests.unit.clusters import GIB

WHOLE = Resources(4000, 4 * GIB)
LITTLE = Resources(100, 0)
WEB = ("shop", "web")
HTTP = Port(80, 80, mode="host")
GPU = Taint("gpu", "NoSchedule", "a100")


def room(
    name: str,
    free: Resources = WHOLE,
    *,
    web: int = 0,
    closed: str = "",
    taints: tuple[Taint, ...] = (),
    ports: tuple[tuple[Port, str], ...] = (),
    images: Sequence[str] = (),
    volumes: Sequence[str] | None = None,
    **labels: str,
) -> Room:
    attributes = {"node.hostname": name, **{f"node.labels.{key}": value for key, value in labels.items()}}
    there = None if volumes is None else frozenset(volumes)
    services = {WEB: web} if web else {}
    return Room(name, WHOLE, free, services, closed, attributes, taints, ports, frozenset(images), there)


def need(
    *constraints: str,
    request: Resources = LITTLE,
    spread: tuple[str, ...] = (),
    most: int = 0,
    tolerations: tuple[Toleration, ...] = (),
    ports: tuple[Port, ...] = (),
    volumes: tuple[str, ...] = (),
    external: tuple[str, ...] = (),
    service: str = "web",
) -> Need:
    policy = PlacementPolicy(tuple(map(parse_constraint, constraints)), spread, most, tolerations)
    return Need(("shop", service), request, policy, ports, volumes, external, "nginx:1")


def slot(number: int, service: str = "web") -> Slot:
    return Slot("shop", service, number)


def claims(asked: Need, count: int = 1) -> list[Claim]:
    return [Claim(slot(number, asked.service[1]), asked) for number in range(1, count + 1)]


def nodes_of(asked: Need, rooms: Sequence[Room], count: int = 1, homes: Mapping[str, str] | None = None) -> str:
    """`w1 w2`: of the slots in order, all of which must have been bound."""
    placement = place(claims(asked, count), rooms, homes)
    assert placement.refused == {}
    return " ".join(placement.bound[slot(number)] for number in range(1, count + 1))


def refusal(asked: Need, *rooms: Room, homes: Mapping[str, str] | None = None) -> str:
    placement = place(claims(asked), rooms, homes)
    assert placement.bound == {}
    return placement.refused[slot(1)]


def test_constraints_keep_off_what_does_not_meet_them() -> None:
    rooms = [room("w1", zone="south"), room("w2", zone="north"), room("w3")]

    assert nodes_of(need("node.labels.zone == north"), rooms, 2) == "w2 w2"
    assert nodes_of(need("node.labels.zone != south"), rooms, 2) == "w2 w3"
    assert nodes_of(need("node.labels.zone != south", "node.hostname != w2"), rooms) == "w3"


@pytest.mark.parametrize(
    ("constraint", "met"),
    [
        ("node.labels.zone == NORTH", True),
        ("node.labels.zone != North", False),
        ("node.labels.Zone == north", False),
        ("node.labels.rack == x", False),
        ("node.labels.rack != x", True),
        ("node.platform.arch == amd64", True),
        ("node.platform.arch == X86_64", True),
        ("node.platform.arch != amd64", False),
        ("node.platform.arch == arm64", False),
    ],
)
def test_values_compare_without_case_and_a_missing_one_is_empty(constraint: str, met: bool) -> None:
    attributes = {"node.labels.zone": "north", "node.platform.arch": "x86_64"}
    wanted = parse_constraint(constraint)

    assert unmet([wanted], attributes) == (None if met else wanted)


def test_the_first_constraint_that_is_not_met_is_told() -> None:
    zone, disk = Constraint("node.labels.zone", True, "north"), Constraint("node.labels.disk", True, "ssd")

    assert unmet([zone, disk], {"node.labels.zone": "north"}) == disk


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_taints_keep_off_what_does_not_tolerate_them(effect: str) -> None:
    tainted = [room("w1", taints=(Taint("gpu", effect, "a100"),)), room("w2", web=5)]  # type: ignore[arg-type]

    assert nodes_of(need(), tainted) == "w2"
    assert nodes_of(need(tolerations=(Toleration("gpu"),)), tainted) == "w1"
    assert nodes_of(need(tolerations=(Toleration("gpu", "h100"),)), tainted) == "w2"


def test_every_taint_of_a_node_must_be_tolerated() -> None:
    twice = room("w1", taints=(GPU, Taint("old", "NoExecute")))

    assert refusal(need(tolerations=(Toleration("gpu"),)), twice) == (
        "the only node has the taint old:NoExecute, which it does not tolerate"
    )


def test_no_more_than_the_most_go_onto_one_node() -> None:
    placement = place(claims(need(most=1), 3), [room("w1"), room("w2")])

    reason = "all 2 nodes have 1 replica of it already, the most allowed"
    assert placement == Placement({slot(1): "w1", slot(2): "w2"}, {slot(3): reason})


def test_replicas_that_are_there_count_towards_the_most() -> None:
    assert nodes_of(need(most=2), [room("w1", web=2), room("w2", web=1)]) == "w2"


def test_a_host_port_is_taken_once_on_a_node() -> None:
    placement = place(claims(need(ports=(HTTP,)), 3), [room("w1"), room("w2")])

    assert placement.bound == {slot(1): "w1", slot(2): "w2"}
    assert placement.refused == {slot(3): "port 80/tcp is taken on all 2 nodes (w1: shop/web.1, w2: shop/web.2)"}


@pytest.mark.parametrize(
    ("taken", "conflicts"),
    [
        (Port(8080, 80, mode="host"), True),
        (Port(80, 80, "udp", mode="host"), False),
        (Port(80, 81, mode="host"), False),
        (Port(80, 80, mode="host", address="10.0.0.1"), True),
        (Port(80, 80, mode="host", address="10.0.0.2"), False),
        (Port(80, 80, mode="host", address="0.0.0.0"), True),
        (Port(80, 80, mode="host", address="::"), True),
    ],
    ids=["same", "other protocol", "other port", "same address", "other address", "all of IPv4", "all"],
)
def test_ports_conflict_by_protocol_number_and_address(taken: Port, conflicts: bool) -> None:
    asked = need(ports=(Port(80, 80, mode="host", address="10.0.0.1"),))

    placement = place(claims(asked), [room("w1", ports=((taken, "blog/web.7"),))])

    assert placement.refused == (
        {slot(1): "port 80/tcp is taken on the only node (w1: blog/web.7)"} if conflicts else {}
    )


def test_a_port_of_another_stack_is_named_with_its_holder() -> None:
    taken = [room(f"w{n}", ports=((HTTP, f"blog/web.{n}"),)) for n in range(1, 5)]

    assert refusal(need(ports=(HTTP,)), *taken, room("w5", Resources())) == (
        "1 of 5 nodes lacks 0.1 cpus (most free: w5 0); "
        "port 80/tcp is taken on 4 of 5 nodes (w1: blog/web.1, w2: blog/web.2, w3: blog/web.3, …)"
    )


def test_a_successor_gets_the_port_of_its_predecessor_on_the_same_node() -> None:
    asked = need(ports=(HTTP,))
    claim = Claim(slot(1), asked, "w1", Held(Resources(100), (HTTP,)))

    placement = place([claim], [room("w1", web=1, ports=((HTTP, "shop/web.1"),))])

    assert placement == Placement({slot(1): "w1"}, {})


def test_the_port_of_one_that_moves_away_is_free_for_who_was_refused_before() -> None:
    """api.1 comes first and fits nowhere until web.1 has found another place."""
    api = Claim(slot(1, "api"), need(service="api", ports=(HTTP,), request=Resources(200)))
    web = Claim(slot(1), need("node.labels.zone == north", ports=(HTTP,)), "w1", Held(Resources(100), (HTTP,)))

    placement = place([api, web], [room("w1", web=1, ports=((HTTP, "shop/web.1"),)), room("w2", zone="north")])

    assert placement == Placement({slot(1): "w2", slot(1, "api"): "w1"}, {})


def test_the_port_of_a_predecessor_that_stays_is_given_to_nobody() -> None:
    api = Claim(slot(1, "api"), need(service="api", ports=(HTTP,)))
    web = Claim(slot(1), need("node.labels.zone == north", ports=(HTTP,)), "w1", Held(Resources(100), (HTTP,)))

    placement = place([api, web], [room("w1", web=1, zone="south", ports=((HTTP, "shop/web.1"),))])

    assert placement.refused == {
        slot(1): "the only node fails the constraint node.labels.zone == north (w1: south)",
        slot(1, "api"): "port 80/tcp is taken on the only node (w1: shop/web.1)",
    }


def test_replicas_go_where_their_volume_is() -> None:
    assert nodes_of(need(volumes=("data",)), [room("w1"), room("w2")], 2, {"data": "w2"}) == "w2 w2"


def test_the_first_replica_decides_where_a_volume_is_for_all_services() -> None:
    db, backup = need(service="db", volumes=("data",), request=Resources(200)), need(volumes=("data",))

    placement = place([*claims(backup, 2), *claims(db)], [room("w1", Resources(1000)), room("w2")])

    assert set(placement.bound.values()) == {"w2"}
    assert len(placement.bound) == 3


@pytest.mark.parametrize(
    ("rooms", "reason"),
    [
        (
            [room("w1"), room("w2"), room("w3", closed="unreachable")],
            "2 of 3 nodes are not where its volume data is: on w3 (unreachable); 1 is unreachable",
        ),
        (
            [room("w1"), room("w2")],
            "all 2 nodes are not where its volume data is: on w3 (no longer in the inventory)",
        ),
        (
            [room("w1"), room("w3", Resources(50, GIB))],
            "1 of 2 nodes lacks 0.1 cpus (most free: w3 0.05); 1 of 2 nodes is not where its volume data is: on w3",
        ),
    ],
    ids=["home away", "home gone", "home full"],
)
def test_a_volume_away_from_home_is_explained(rooms: list[Room], reason: str) -> None:
    assert refusal(need(volumes=("data",)), *rooms, homes={"data": "w3"}) == reason


def test_two_volumes_on_two_nodes_suit_nobody() -> None:
    asked = need(volumes=("a", "b"))

    assert refusal(asked, room("w1"), room("w2"), homes={"a": "w1", "b": "w2"}) == (
        "1 of 2 nodes is not where its volume a is: on w1; 1 of 2 nodes is not where its volume b is: on w2"
    )


def test_an_external_volume_must_be_there_where_it_is_known_what_is() -> None:
    asked = need(external=("data",))

    assert nodes_of(asked, [room("w1", volumes=()), room("w2", volumes=("data",), web=3)]) == "w2"
    assert nodes_of(asked, [room("w1")]) == "w1"
    assert refusal(asked, room("w1", volumes=("other",))) == (
        "the only node lacks the external volume data, which is not orch's to make"
    )


def test_all_external_volumes_must_be_there() -> None:
    assert refusal(need(external=("data", "logs")), room("w1", volumes=("data",))) == (
        "the only node lacks the external volume logs, which is not orch's to make"
    )


def test_spreading_over_values_comes_before_spreading_over_nodes() -> None:
    rooms = [room("w1", zone="a"), room("w2", zone="a"), room("w3", zone="a"), room("w4", zone="b")]

    assert nodes_of(need(spread=("node.labels.zone",)), rooms, 4) == "w1 w4 w2 w4"
    assert nodes_of(need(), rooms, 4) == "w1 w2 w3 w4"


def test_the_first_attribute_is_spread_over_before_the_second() -> None:
    rooms = [
        room("w1", zone="a", rack="1"),
        room("w2", zone="a", rack="1"),
        room("w3", zone="a", rack="2"),
        room("w4", zone="b", rack="3"),
    ]

    assert nodes_of(need(spread=("node.labels.zone", "node.labels.rack")), rooms, 5) == "w1 w4 w3 w4 w2"


def test_nodes_without_the_label_are_a_group_of_their_own() -> None:
    assert nodes_of(
        need(spread=("node.labels.zone",)), [room("w1", zone="a"), room("w2", zone="a"), room("w3")], 2
    ) == ("w3 w1")


def test_replicas_on_nodes_that_take_no_more_count_for_their_value() -> None:
    rooms = [room("w1", zone="a", web=3, closed="unreachable"), room("w2", zone="a"), room("w3", zone="b", web=1)]

    assert nodes_of(need(spread=("node.labels.zone",)), rooms, 2) == "w3 w3"


def test_a_value_whose_nodes_are_full_is_passed_over() -> None:
    rooms = [room("w1", Resources(), zone="a"), room("w2", zone="b", web=1)]

    assert nodes_of(need(spread=("node.labels.zone",)), rooms, 2) == "w2 w2"


@pytest.mark.parametrize(
    ("with_image", "chosen"),
    [(Resources(3700, GIB), "w1"), (Resources(3500, GIB), "w2")],
    ids=["about as full", "a tenth fuller"],
)
def test_an_image_that_is_there_decides_among_nodes_about_as_full(with_image: Resources, chosen: str) -> None:
    rooms = [
        room("w1", Resources(with_image.millicpus, 4 * GIB), images=("nginx:1",)),
        room("w2", Resources(3900, 4 * GIB)),
    ]

    assert nodes_of(need(), rooms) == chosen


def test_spreading_over_nodes_comes_before_an_image_that_is_there() -> None:
    assert nodes_of(need(), [room("w1", web=1, images=("nginx:1",)), room("w2")]) == "w2"


def test_a_pinned_claim_goes_to_its_node_or_nowhere() -> None:
    pinned = [Claim(slot(n), need(request=Resources(3000)), f"w{n}", pinned=True) for n in (1, 2)]

    placement = place(pinned, [room("w1"), room("w2", Resources(1000, GIB)), room("w3")])

    assert placement == Placement({slot(1): "w1"}, {slot(2): "w2 lacks 3 cpus (free: w2 1)"})


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (room("w1", closed="not schedulable"), "w1 is not schedulable"),
        (room("w1", ports=((HTTP, "blog/web.1"),)), "port 80/tcp is taken on w1 (w1: blog/web.1)"),
    ],
)
def test_a_pinned_claim_is_refused_by_its_node_s_name(there: Room, reason: str) -> None:
    pinned = Claim(slot(1), need(ports=(HTTP,)), "w1", pinned=True)

    assert place([pinned], [there, room("w2")]).refused == {slot(1): reason}


def test_each_node_is_counted_once_and_the_nearest_to_fitting_are_told_first() -> None:
    asked = need("node.labels.disk == ssd", request=Resources(1000), most=1, ports=(HTTP,))
    rooms = [
        room("w1", Resources(400, GIB), disk="ssd"),
        room("w2", Resources(600, GIB), disk="ssd"),
        room("w3", disk="ssd", ports=((HTTP, "blog/web.1"),)),
        room("w4", disk="ssd", web=1),
        room("w5", disk="hdd"),
        room("w6", Resources()),
        room("w7", disk="ssd", taints=(GPU,)),
        room("w8", closed="not schedulable"),
    ]

    assert refusal(asked, *rooms) == (
        "2 of 8 nodes lack 1 cpus (most free: w2 0.6); "
        "port 80/tcp is taken on 1 of 8 nodes (w3: blog/web.1); "
        "1 of 8 nodes has 1 replica of it already, the most allowed; "
        "1 of 8 nodes has the taint gpu=a100:NoSchedule, which it does not tolerate; "
        "2 of 8 nodes fail the constraint node.labels.disk == ssd (w5: hdd, w6: none); "
        "1 is not schedulable"
    )
