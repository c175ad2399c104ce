"""A plan in the course of time: slots being worked on, nodes that are given up and come back, waits after failures."""

from __future__ import annotations

import msgspec
import pytest

from orch.controllers.course import Course, wait_after
from orch.model.node import NodeObservation, Unreachable
from orch.model.plan import Plan, Remove, Run
from orch.model.replica import Replica
from tests.unit.clusters import answers, container_of, plan, replica_of, shop, web

NOW = 10_000.0
MASTER = Course(move_after=10.0, patient=True)
WEB = web()
FIRST = replica_of(WEB, "w1", planned_at=NOW - 2000)


def silent(seconds: float) -> Unreachable:
    return Unreachable(NOW, "no answer", NOW - seconds)


def moved(second: Replica) -> Run:
    return Run(second, WEB, "w1 has not answered for 10 s")


def test_what_was_on_a_silent_node_is_started_elsewhere_after_a_while() -> None:
    observed: dict[str, NodeObservation] = {"w1": silent(10), "w2": answers(), "w3": answers()}

    planned = plan(observed, stacks=[shop(WEB)], replicas=[FIRST], now=NOW, course=MASTER)

    assert planned.actions == (moved(replica_of(WEB, "w2", attempt=2, planned_at=NOW)),)
    assert planned.again_at is None


def test_until_then_nothing_moves_and_the_plan_says_when_it_will() -> None:
    observed: dict[str, NodeObservation] = {"w1": silent(4), "w2": answers(), "w3": answers()}

    planned = plan(observed, stacks=[shop(WEB)], replicas=[FIRST], now=NOW, course=MASTER)

    assert (planned.actions, planned.again_at) == ((), NOW + 6)


def test_a_single_command_gives_no_node_up() -> None:
    observed: dict[str, NodeObservation] = {"w1": silent(1000), "w2": answers(), "w3": answers()}

    planned = plan(observed, stacks=[shop(WEB)], replicas=[FIRST], now=NOW)

    assert (planned.actions, planned.again_at) == ((), None)


@pytest.mark.parametrize(
    ("away", "of", "moves"), [(1, 1, False), (1, 2, True), (2, 3, False), (5, 10, True), (6, 10, False)]
)
def test_with_too_many_away_nothing_moves(away: int, of: int, moves: bool) -> None:
    names = [f"w{number}" for number in range(1, of + 1)]
    observed = {name: silent(60) if number < away else answers() for number, name in enumerate(names)}

    planned = plan(observed, stacks=[shop(WEB)], replicas=[FIRST], now=NOW, course=MASTER)

    told = [refusal.reason for refusal in planned.refusals if refusal.object == "nodes"]
    assert bool(planned.actions) == moves
    assert told == (
        []
        if moves
        else [
            f"{away} of {of} nodes do not answer, so the fault may well be the master's own network: nothing is moved"
        ]
    )


def test_after_many_were_away_those_that_are_late_get_their_time_anew() -> None:
    observed: dict[str, NodeObservation] = {"w1": silent(60), "w2": answers(), "w3": answers()}
    late = msgspec.structs.replace(MASTER, crowded_at=NOW - 3)

    planned = plan(observed, stacks=[shop(WEB)], replicas=[FIRST], now=NOW, course=late)
    assert (planned.actions, planned.again_at) == ((), NOW + 7)

    planned = plan(observed, stacks=[shop(WEB)], replicas=[FIRST], now=NOW + 7, course=late)
    assert [type(action) for action in planned.actions] == [Run]


def test_a_job_is_not_done_twice_because_its_node_is_silent() -> None:
    """It may have ended there, and nobody can ask."""
    job = msgspec.structs.replace(WEB, mode="replicated-job")
    record = replica_of(job, "w1", planned_at=NOW - 2000)
    observed: dict[str, NodeObservation] = {"w1": silent(60), "w2": answers(), "w3": answers()}

    assert plan(observed, stacks=[shop(job)], replicas=[record], now=NOW, course=MASTER).actions == ()


def test_a_silent_node_is_not_said_to_keep_what_has_been_moved() -> None:
    second = replica_of(WEB, "w2", attempt=2, planned_at=NOW - 30)
    observed: dict[str, NodeObservation] = {"w1": silent(60), "w2": answers(container_of(second, WEB)), "w3": answers()}

    for course in (MASTER, Course()):
        assert plan(observed, stacks=[shop(WEB)], replicas=[FIRST, second], now=NOW, course=course) == Plan()


def test_a_node_that_is_only_suspect_is_not_given_up() -> None:
    suspect = Unreachable(NOW, "it has said nothing for 4.5 s", NOW - 60, suspect=True)
    observed: dict[str, NodeObservation] = {"w1": suspect, "w2": answers(), "w3": answers()}

    assert plan(observed, stacks=[shop(WEB)], replicas=[FIRST], now=NOW, course=MASTER).actions == ()


def test_a_node_that_comes_back_loses_what_was_moved() -> None:
    second = replica_of(WEB, "w2", attempt=2, planned_at=NOW - 30)
    observed: dict[str, NodeObservation] = {
        "w1": answers(container_of(FIRST, WEB)),
        "w2": answers(container_of(second, WEB)),
    }

    planned = plan(observed, stacks=[shop(WEB)], replicas=[FIRST, second], now=NOW, course=MASTER)

    assert planned.actions == (Remove(FIRST, "w1-1-1", "a newer replica fills its slot"),)


def test_it_does_so_too_while_the_new_one_is_still_being_started() -> None:
    second = replica_of(WEB, "w2", attempt=2, planned_at=NOW - 1)
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(FIRST, WEB)), "w2": answers()}
    busy = msgspec.structs.replace(MASTER, busy=frozenset({FIRST.slot}))

    planned = plan(observed, stacks=[shop(WEB)], replicas=[FIRST, second], now=NOW, course=busy)

    assert planned == Plan()


def test_what_is_being_worked_on_is_left_alone_and_keeps_its_room() -> None:
    wide = web(replicas=2)
    records = [replica_of(wide, "w1"), replica_of(wide, "w1", number=2)]
    observed: dict[str, NodeObservation] = {"w1": answers(), "w2": answers()}
    busy = msgspec.structs.replace(MASTER, busy=frozenset({records[0].slot}))

    planned = plan(observed, stacks=[shop(wide)], replicas=records, now=NOW, course=busy)

    assert {action.replica.slot for action in planned.actions} == {records[1].slot}


def test_a_busy_slot_without_a_record_is_left_alone_too() -> None:
    busy = msgspec.structs.replace(MASTER, busy=frozenset({FIRST.slot}))
    stray = answers(container_of(FIRST, WEB))

    assert plan({"w1": answers()}, stacks=[shop(WEB)], now=NOW, course=busy) == Plan()
    assert plan({"w1": stray}, stacks=[shop(WEB)], now=NOW, course=busy) == Plan()


def test_waits_grow_from_nothing_to_five_minutes() -> None:
    assert [wait_after(n) for n in (0, 1, 2, 3, 4, 6, 7, 8, 100)] == [0, 0, 10, 20, 40, 160, 300, 300, 300]


@pytest.mark.parametrize(
    ("failures", "ran", "starts"), [(0, 1, True), (1, 9, False), (1, 10, True), (3, 39, False), (3, 40, True)]
)
def test_what_fails_again_and_again_waits_longer_each_time(failures: int, ran: float, starts: bool) -> None:
    failed = replica_of(WEB, "w1", planned_at=NOW - ran, failures=failures)
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(failed, WEB, "exited", exit_code=1))}

    planned = plan(observed, stacks=[shop(WEB)], replicas=[failed], now=NOW, course=MASTER)

    if starts:
        assert [a.replica.failures for a in planned.actions if isinstance(a, Run)] == [failures + 1]
    else:
        assert planned == Plan(again_at=NOW - ran + wait_after(failures + 1))


def test_one_that_ran_for_long_has_not_failed_to_start() -> None:
    failed = replica_of(WEB, "w1", planned_at=NOW - 600, failures=5)
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(failed, WEB, "exited", exit_code=1))}

    planned = plan(observed, stacks=[shop(WEB)], replicas=[failed], now=NOW, course=MASTER)

    assert [a.replica.failures for a in planned.actions if isinstance(a, Run)] == [1]


def test_whoever_applies_a_stack_does_not_have_to_wait() -> None:
    failed = replica_of(WEB, "w1", planned_at=NOW - 5, failures=5)
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(failed, WEB, "exited", exit_code=1))}

    hurried = msgspec.structs.replace(MASTER, hurried={"shop": NOW - 1})
    planned = plan(observed, stacks=[shop(WEB)], replicas=[failed], now=NOW, course=hurried)
    assert [type(a) for a in planned.actions] == [Remove, Run]

    hurried = msgspec.structs.replace(MASTER, hurried={"shop": NOW - 6})
    assert plan(observed, stacks=[shop(WEB)], replicas=[failed], now=NOW, course=hurried).actions == ()
