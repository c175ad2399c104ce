"""Containers without a record, and slots with more than one replica: what crashes and lost states leave."""

from __future__ import annotations

import pytest

from orch.model.node import ContainerState, NodeObservation
from orch.model.plan import Adopt, Plan, Remove, Run
from orch.model.resources import Resources
from orch.model.spec import ServiceSpec
from tests.unit.clusters import ALWAYS, GIB, answers, container_of, plan, replica_of, shop, silent, web

WEB = web()
CHANGED = web("nginx:2")
FIRST = replica_of(WEB, "w1")


def test_stray_containers_of_a_known_stack_are_removed() -> None:
    """The first is of a slot that is not wanted, the second is made from another specification."""
    extra, other = replica_of(WEB, "w1", number=7), replica_of(CHANGED, "w2")
    observed: dict[str, NodeObservation] = {
        "w1": answers(container_of(extra, WEB), container_of(FIRST, WEB)),
        "w2": answers(container_of(other, CHANGED)),
    }

    actions = plan(observed, stacks=[shop(WEB)], replicas=[FIRST]).actions

    assert [(a.container, a.why) for a in actions if isinstance(a, Remove)] == [
        ("w1-7-1", "there is no record of it"),
        ("w2-1-1", "there is no record of it"),
    ]
    assert len(actions) == 2


def test_stray_containers_of_an_unknown_stack_are_never_touched() -> None:
    alien = replica_of(WEB, "w1", stack="blog")

    assert plan({"w1": answers(container_of(alien, WEB))}, stacks=[shop(web(replicas=0))]) == Plan()


def test_strays_are_removed_in_the_same_order_however_the_node_lists_them() -> None:
    strays = [container_of(replica_of(WEB, "w1", number=n), WEB) for n in (2, 3)]

    plans = [plan({"w1": answers(*listed)}, stacks=[shop(web(replicas=0))]) for listed in (strays, strays[::-1])]

    assert plans[0] == plans[1]


def test_a_container_that_runs_as_wanted_is_adopted() -> None:
    """As after the state was lost."""
    assert plan({"w1": answers(container_of(FIRST, WEB))}, stacks=[shop(WEB)]) == Plan(
        (Adopt(FIRST, "it runs on w1 as wanted, without a record"),)
    )


def test_of_several_containers_for_one_slot_the_newest_is_adopted_and_the_others_go() -> None:
    second = replica_of(WEB, "w2", attempt=2)
    observed: dict[str, NodeObservation] = {
        "w1": answers(container_of(FIRST, WEB)),
        "w2": answers(container_of(second, WEB)),
    }

    first, last = plan(observed, stacks=[shop(WEB)]).actions

    assert first == Adopt(second, "it runs on w2 as wanted, without a record")
    assert isinstance(last, Remove)
    assert (last.container, last.why) == ("w1-1-1", "there is no record of it")


@pytest.mark.parametrize("state", ["exited", "created", "paused"])
def test_a_container_that_does_not_run_is_not_adopted(state: ContainerState) -> None:
    actions = plan({"w1": answers(container_of(FIRST, WEB, state))}, stacks=[shop(WEB)]).actions

    assert [type(a) for a in actions] == [Remove, Run]


def test_the_next_attempt_is_above_all_that_were_seen_or_recorded() -> None:
    stray = container_of(replica_of(CHANGED, "w1", attempt=5), CHANGED)

    actions = plan({"w1": answers(stray)}, stacks=[shop(WEB)], replicas=[FIRST]).actions

    assert actions[-1] == Run(replica_of(WEB, "w1", attempt=6, failures=1), WEB, "its container is gone")


def test_containers_on_an_unsuitable_node_are_left_alone() -> None:
    """It listed some before it failed; what it cannot finish saying is not to be acted upon."""
    stray, fits = replica_of(CHANGED, "w1"), replica_of(WEB, "w1", number=2)
    halfway = answers(container_of(stray, CHANGED), container_of(fits, WEB), problem="podman did not list all")

    named = {a.replica.node for a in plan({"w1": halfway, "w2": answers()}, stacks=[shop(web(replicas=2))]).actions}

    assert named == {"w2"}


def test_of_two_replicas_in_one_slot_that_run_as_wanted_the_newer_stays() -> None:
    """The older could not be removed when it was replaced, and has recovered since."""
    second = replica_of(WEB, "w2", attempt=2)
    observed: dict[str, NodeObservation] = {
        "w1": answers(container_of(FIRST, WEB)),
        "w2": answers(container_of(second, WEB)),
    }

    (action,) = plan(observed, stacks=[shop(WEB)], replicas=[FIRST, second]).actions

    assert isinstance(action, Remove)
    assert action.replica == FIRST


def test_the_room_of_a_replica_that_goes_is_given_away_in_the_same_plan() -> None:
    large, api = (
        web(request=Resources(0, 2 * GIB)),
        ServiceSpec("api", "api:1", restart=ALWAYS, request=Resources(0, 2 * GIB)),
    )
    lost, runs = replica_of(large, "w1"), replica_of(large, "w1", attempt=2)

    planned = plan({"w1": answers(container_of(runs, large))}, stacks=[shop(api, large)], replicas=[lost, runs])

    assert planned.refusals == ()
    assert planned.actions[-1] == Run(replica_of(api, "w1"), api, "wanted")


def test_what_serves_is_not_removed_for_the_sake_of_an_older_replica_that_is_out_of_reach() -> None:
    second = replica_of(WEB, "w2", attempt=2)
    observed: dict[str, NodeObservation] = {"w1": silent(), "w2": answers(container_of(second, WEB))}

    actions = plan(observed, stacks=[shop(CHANGED)], replicas=[FIRST, second]).actions

    assert [type(action) for action in actions] in ([], [Remove, Run])
