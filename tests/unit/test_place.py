"""Placement: which node takes a replica, and what is said when none does."""

from __future__ import annotations

import itertools

import pytest

from orch.model.replica import Slot
from orch.model.resources import Resources
from orch.scheduler.claim import Claim, Held, Need, Room
from orch.scheduler.place import Placement, place
from tests.unit.clusters import GIB, MIB

WHOLE = Resources(4000, 4 * GIB)
SMALL = Resources(100, 64 * MIB)


def room(name: str, free: Resources = WHOLE, *, closed: str = "", web: int = 0, other: int = 0) -> Room:
    services = {("shop", "web"): web, ("shop", "other"): other}
    return Room(name, WHOLE, free, {key: count for key, count in services.items() if count}, closed)


def slot(number: int, service: str = "web") -> Slot:
    return Slot("shop", service, number)


def claim(slot: Slot, request: Resources, preferred: str | None = None, held: Resources | None = None) -> Claim:
    need = Need((slot.stack, slot.service), request)
    return Claim(slot, need, preferred, Held(held) if held is not None else None)


def claims(count: int, request: Resources = SMALL) -> list[Claim]:
    return [claim(slot(number), request) for number in range(1, count + 1)]


def nodes_of(placement: Placement) -> dict[int, str]:
    assert placement.refused == {}
    return {bound.number: name for bound, name in placement.bound.items()}


def refusal(request: Resources, *rooms: Room) -> str:
    placement = place([claim(slot(1), request)], rooms)
    assert placement.bound == {}
    return placement.refused[slot(1)]


def test_replicas_of_one_service_spread_over_all_nodes() -> None:
    placement = place(claims(5), [room("w1"), room("w2"), room("w3")])

    assert nodes_of(placement) == {1: "w1", 2: "w2", 3: "w3", 4: "w1", 5: "w2"}


def test_a_node_without_replicas_of_the_service_comes_before_an_emptier_one_that_has_some() -> None:
    placement = place(claims(1), [room("w1", web=1), room("w2", Resources(500, GIB), other=9)])

    assert nodes_of(placement) == {1: "w2"}


def test_spreading_counts_the_replicas_that_are_there_already() -> None:
    placement = place(claims(3), [room("w1", web=3), room("w2"), room("w3", web=2)])

    assert nodes_of(placement) == {1: "w2", 2: "w2", 3: "w3"}


@pytest.mark.parametrize(
    ("fuller", "emptier"),
    [
        (Resources(1000, 4 * GIB), Resources(2000, 4 * GIB)),
        (Resources(4000, GIB), Resources(4000, 2 * GIB)),
        (Resources(500, 4 * GIB), Resources(1000, GIB)),
    ],
    ids=["less cpu", "less memory", "the scarcer of the two counts"],
)
def test_among_equals_the_least_allocated_node_is_taken(fuller: Resources, emptier: Resources) -> None:
    assert nodes_of(place(claims(1), [room("w1", fuller), room("w2", emptier)])) == {1: "w2"}


def test_a_share_of_the_node_counts_and_not_an_amount() -> None:
    small = Room("w1", Resources(1000, GIB), Resources(500, GIB))
    large = Room("w2", Resources(8000, 8 * GIB), Resources(5000, 8 * GIB))

    assert nodes_of(place(claims(1), [small, large])) == {1: "w2"}


def test_replicas_that_ask_for_nothing_go_where_fewest_are() -> None:
    placement = place(claims(1, Resources()), [room("w1", other=2), room("w2", other=1), room("w3", other=3)])

    assert nodes_of(placement) == {1: "w2"}


def test_with_all_else_equal_the_name_decides() -> None:
    assert nodes_of(place(claims(1), [room("w2"), room("w1"), room("w10")])) == {1: "w1"}


def test_the_order_of_claims_and_rooms_changes_nothing() -> None:
    wanted = [*claims(2), claim(slot(1, "other"), Resources(3000, GIB)), claim(slot(3), SMALL, "w2", SMALL)]
    rooms = [room("w1"), room("w2", Resources(3000, 2 * GIB), web=1), room("w3", Resources(200, GIB))]

    outcomes = [place(a, b) for a in itertools.permutations(wanted) for b in itertools.permutations(rooms)]

    assert outcomes[1:] == outcomes[:-1]
    assert outcomes[0].bound == {slot(1): "w1", slot(2): "w3", slot(1, "other"): "w1", slot(3): "w2"}


def test_a_claim_goes_back_to_its_node_though_others_are_emptier() -> None:
    placement = place([claim(slot(1), SMALL, preferred="w2")], [room("w1"), room("w2", Resources(1000, GIB), web=3)])

    assert nodes_of(placement) == {1: "w2"}


def test_a_claim_whose_node_has_no_room_goes_to_the_best_other_one() -> None:
    rooms = [room("w1", Resources(200, GIB)), room("w2", Resources(50, GIB)), room("w3")]

    assert nodes_of(place([claim(slot(1), SMALL, preferred="w2")], rooms)) == {1: "w3"}


@pytest.mark.parametrize("preferred", ["w2", "gone"], ids=["closed", "not there any more"])
def test_a_claim_whose_node_takes_nothing_goes_elsewhere(preferred: str) -> None:
    placement = place([claim(slot(1), SMALL, preferred)], [room("w1"), room("w2", closed="unreachable")])

    assert nodes_of(placement) == {1: "w1"}


def test_claims_with_a_node_come_before_fresh_ones() -> None:
    fresh, settled = claim(slot(1), Resources(3000)), claim(slot(2), Resources(2000), preferred="w1")

    placement = place([fresh, settled], [room("w1")])

    assert placement == Placement({slot(2): "w1"}, {slot(1): "the only node lacks 3 cpus (most free: w1 2)"})


def test_the_largest_service_is_placed_first() -> None:
    large, small = claim(slot(1, "zoo"), Resources(0, 3 * GIB)), claim(slot(1, "app"), Resources(0, 2 * GIB))

    placement = place([small, large], [room("w1")])

    assert placement.bound == {slot(1, "zoo"): "w1"}


def test_held_room_serves_the_claim_that_holds_it() -> None:
    full = room("w1", Resources(0, 4 * GIB), web=1)

    placement = place([claim(slot(1), Resources(4000), preferred="w1", held=Resources(4000))], [full])

    assert placement == Placement({slot(1): "w1"}, {})


def test_held_room_of_a_refused_claim_is_given_to_nobody() -> None:
    """The old replica serves on, so what it holds is not free."""
    grows = claim(slot(1), Resources(5000), preferred="w1", held=Resources(3000))
    fresh = claim(slot(1, "other"), Resources(2000))

    placement = place([grows, fresh], [room("w1", Resources(1000, 4 * GIB), web=1)])

    assert placement == Placement(
        {},
        {
            slot(1): "the only node lacks 5 cpus (most free: w1 4)",
            slot(1, "other"): "the only node lacks 2 cpus (most free: w1 1)",
        },
    )


def test_held_room_of_a_claim_that_moves_away_is_free_for_those_refused_before_it() -> None:
    """web.1 is tried first and fits only where web.2 makes room."""
    grows = claim(slot(1), Resources(3000), preferred="w1", held=Resources(1000))
    moves = claim(slot(2), Resources(2500), preferred="w1", held=Resources(2000))

    placement = place([grows, moves], [room("w1", Resources(0, GIB), web=2), room("w2", Resources(2500, GIB))])

    assert nodes_of(placement) == {1: "w1", 2: "w2"}


def test_nothing_is_placed_on_a_closed_node() -> None:
    rooms = [room("w1", closed="not schedulable"), room("w2", Resources(300, GIB)), room("w3", closed="unreachable")]

    assert nodes_of(place(claims(3), rooms)) == {1: "w2", 2: "w2", 3: "w2"}


def test_a_request_of_nothing_fits_on_a_node_that_is_overcommitted() -> None:
    assert nodes_of(place(claims(1, Resources()), [room("w1", Resources(-500, -GIB))])) == {1: "w1"}


def test_a_request_of_cpu_alone_fits_where_memory_is_overcommitted() -> None:
    assert nodes_of(place(claims(1, Resources(4000)), [room("w1", Resources(4000, -GIB))])) == {1: "w1"}


def test_a_request_fits_to_the_last_byte_and_the_last_thousandth_of_a_core() -> None:
    exact = Resources(100, 64 * MIB)

    assert nodes_of(place(claims(1, exact), [room("w1", exact)])) == {1: "w1"}
    assert refusal(exact, room("w1", Resources(99, 64 * MIB))) == "the only node lacks 0.1 cpus (most free: w1 0.099)"
    assert place(claims(1, exact), [room("w1", Resources(100, 64 * MIB - 1))]).bound == {}


def test_a_service_is_placed_as_far_as_it_fits() -> None:
    placement = place(claims(3, Resources(3000)), [room("w1"), room("w2")])

    reason = "all 2 nodes lack 3 cpus (most free: w1 1)"
    assert placement == Placement({slot(1): "w1", slot(2): "w2"}, {slot(3): reason})


def test_of_two_nearest_misses_the_first_by_name_is_told() -> None:
    assert refusal(Resources(5000), room("w2"), room("w1")) == "all 2 nodes lack 5 cpus (most free: w1 4)"


def test_without_nodes_everything_is_refused() -> None:
    assert refusal(Resources()) == "there are no nodes"


@pytest.mark.parametrize(
    ("rooms", "reason"),
    [
        ([room("w1", Resources(1500, GIB))], "the only node lacks 2 cpus (most free: w1 1.5)"),
        (
            [room("w1", Resources(1500, GIB)), room("w2", Resources(1750, GIB))],
            "all 2 nodes lack 2 cpus (most free: w2 1.75)",
        ),
        (
            [room("w1", Resources(4000, 100 * MIB)), room("w2", Resources(1000, GIB))],
            "1 of 2 nodes lacks 2 cpus (most free: w2 1); 1 of 2 nodes lacks 512m memory (most free: w1 100m)",
        ),
        (
            [room("w1", Resources(0, 0)), room("w2", Resources(0, 310 * MIB)), room("w3", closed="unreachable")],
            "2 of 3 nodes lack 512m memory and 2 cpus (most free: w2 310m and 0 cpus); 1 is unreachable",
        ),
        (
            [room("w1", closed="unsuitable"), room("w2", closed="not schedulable"), room("w3", closed="unsuitable")],
            "2 are unsuitable; 1 is not schedulable",
        ),
        ([room("w1", Resources(-100, GIB))], "the only node lacks 2 cpus (most free: w1 0)"),
    ],
    ids=["one node", "nearest miss", "each lacks another thing", "some closed", "all closed", "overcommitted"],
)
def test_a_refusal_says_what_is_lacking_where_and_the_nearest_miss(rooms: list[Room], reason: str) -> None:
    assert refusal(Resources(2000, 512 * MIB), *rooms) == reason
