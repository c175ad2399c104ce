"""The plan for a cluster: what is started, replaced, removed, adopted and left alone."""

from __future__ import annotations

import msgspec
import pytest

from orch.model.node import ContainerState, NodeObservation
from orch.model.plan import Forget, Plan, Refusal, Remove, Run
from orch.model.replica import Replica
from orch.model.resources import Resources
from orch.model.spec import ServiceSpec, StackSpec
from tests.unit.clusters import (
    ALWAYS,
    GIB,
    answers,
    container_of,
    node,
    plan,
    replica_of,
    shop,
    silent,
    web,
)

WEB = web()
CHANGED = web("nginx:2")
FIRST = replica_of(WEB, "w1")
GONE = "its container is gone"
UPDATE = "image nginx:1 → nginx:2"
LARGE = Resources(3000, GIB)


def run(
    spec: ServiceSpec, node: str, why: str = "wanted", *, number: int = 1, attempt: int = 1, failures: int = 0
) -> Run:
    return Run(replica_of(spec, node, number=number, attempt=attempt, failures=failures), spec, why)


def remove(replica: Replica, why: str) -> Remove:
    return Remove(replica, f"{replica.node}-{replica.slot.number}-{replica.attempt}", why)


def serving(spec: ServiceSpec, **placed: int) -> tuple[dict[str, NodeObservation], list[Replica]]:
    """Nodes with running, recorded replicas of the service: `w1=2` puts two more of them on w1."""
    replicas: list[Replica] = []
    observed: dict[str, NodeObservation] = {}
    for name, count in placed.items():
        here = [replica_of(spec, name, number=len(replicas) + i) for i in range(1, count + 1)]
        replicas += here
        observed[name] = answers(*(container_of(r, spec) for r in here))
    return observed, replicas


def test_with_nothing_wanted_and_nothing_there_nothing_is_done() -> None:
    assert plan({"w1": answers()}) == Plan()


def test_a_new_stack_is_spread_over_the_nodes() -> None:
    spec = web(replicas=3)

    assert plan({"w1": answers(), "w2": answers()}, stacks=[shop(spec)]) == Plan(
        (run(spec, "w1"), run(spec, "w2", number=2), run(spec, "w1", number=3))
    )


def test_what_runs_as_wanted_needs_nothing() -> None:
    spec = web(replicas=3)
    observed, replicas = serving(spec, w1=2, w2=1)

    assert plan(observed, stacks=[shop(spec)], replicas=replicas) == Plan()


def test_the_same_cluster_gives_the_same_plan_twice() -> None:
    observed, replicas = serving(web(replicas=3), w1=2, w2=1)

    plans = [plan(observed, stacks=[shop(web("nginx:2", replicas=4))], replicas=replicas) for _ in range(2)]

    assert len(plans[0].actions) == 7
    assert msgspec.json.encode(plans[0]) == msgspec.json.encode(plans[1])


def test_a_changed_image_replaces_every_replica_of_its_service_where_it_was() -> None:
    observed, replicas = serving(web(replicas=2), w1=1, w2=1)
    changed = web("nginx:2", replicas=2)

    assert plan(observed, stacks=[shop(changed)], replicas=replicas) == Plan(
        (
            remove(replicas[0], UPDATE),
            remove(replicas[1], UPDATE),
            run(changed, "w1", UPDATE, attempt=2),
            run(changed, "w2", UPDATE, number=2, attempt=2),
        )
    )


def test_a_changed_environment_replaces_the_replicas_of_its_service_alone() -> None:
    api = ServiceSpec("api", "api:1", restart=ALWAYS)
    other = replica_of(api, "w1")
    changed = msgspec.structs.replace(WEB, environment={"DEBUG": "1"})
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(other, api), container_of(FIRST, WEB))}

    assert plan(observed, stacks=[shop(api, changed)], replicas=[other, FIRST]) == Plan(
        (remove(FIRST, "its specification changed"), run(changed, "w1", "its specification changed", attempt=2))
    )


def test_a_lost_container_is_replaced_on_its_node() -> None:
    assert plan({"w0": answers(), "w1": answers()}, stacks=[shop(WEB)], replicas=[FIRST]) == Plan(
        (Forget(FIRST, GONE), run(WEB, "w1", GONE, attempt=2, failures=1))
    )


@pytest.mark.parametrize(
    ("state", "why"), [("exited", "it exited with 0"), ("created", "it never started")], ids=["exited", "created"]
)
def test_a_container_that_does_not_run_is_removed_before_its_successor_starts(state: ContainerState, why: str) -> None:
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(FIRST, WEB, state))}

    assert plan(observed, stacks=[shop(WEB)], replicas=[FIRST]) == Plan(
        (remove(FIRST, why), run(WEB, "w1", why, attempt=2, failures=1))
    )


def test_scaling_up_starts_only_what_is_missing() -> None:
    observed, replicas = serving(web(replicas=2), w1=1, w2=1)

    assert plan(observed, stacks=[shop(web(replicas=3))], replicas=replicas) == Plan(
        (run(web(replicas=3), "w1", number=3),)
    )


def test_scaling_down_removes_the_highest_slots() -> None:
    observed, replicas = serving(web(replicas=3), w1=2, w2=1)

    assert plan(observed, stacks=[shop(WEB)], replicas=replicas) == Plan(
        (remove(replicas[1], "not wanted any more"), remove(replicas[2], "not wanted any more"))
    )


def test_the_replicas_of_a_removed_stack_go() -> None:
    observed, replicas = serving(web(replicas=2), w1=1, w2=1)

    assert plan(observed, replicas=replicas) == Plan(
        (remove(replicas[0], "not wanted any more"), remove(replicas[1], "not wanted any more"))
    )


def test_the_records_of_a_removed_stack_without_containers_are_forgotten() -> None:
    assert plan({"w1": answers()}, replicas=[FIRST]) == Plan((Forget(FIRST, "not wanted any more"),))


@pytest.mark.parametrize(
    ("seen", "reason"),
    [(silent("no route to host"), "no route to host"), (answers(problem="podman is missing"), "podman is missing")],
    ids=["unreachable", "unsuitable"],
)
@pytest.mark.parametrize("stacks", [[shop(web("nginx:2", replicas=2))], []], ids=["changed", "removed"])
def test_on_a_node_that_cannot_be_worked_with_nothing_is_done_and_it_is_refused_once(
    seen: NodeObservation, reason: str, stacks: list[StackSpec]
) -> None:
    replicas = [replica_of(WEB, "w1"), replica_of(WEB, "w1", number=2)]

    assert plan({"w1": seen, "w2": answers()}, stacks=stacks, replicas=replicas) == Plan(
        (), (Refusal("w1", f"{reason}; 2 replicas there are left as they are", "w1"),)
    )


def test_a_single_replica_out_of_reach_is_told_in_the_singular() -> None:
    assert plan({"w1": silent()}, stacks=[shop(WEB)], replicas=[FIRST]).refusals == (
        Refusal("w1", "connection refused; 1 replica there is left as it is", "w1"),
    )


def test_an_unreachable_node_without_replicas_is_not_worth_a_word() -> None:
    assert plan({"w1": silent(), "w2": answers()}, stacks=[shop(WEB)]) == Plan((run(WEB, "w2"),))


def test_replicas_of_a_node_that_left_the_inventory_are_forgotten_and_started_elsewhere() -> None:
    assert plan({"w2": answers()}, stacks=[shop(WEB)], replicas=[FIRST]) == Plan(
        (Forget(FIRST, "w1 has left the inventory"), run(WEB, "w2", "w1 has left the inventory", attempt=2))
    )


def test_a_node_that_is_not_schedulable_keeps_what_it_has_and_gets_nothing_new() -> None:
    observed, replicas = serving(WEB, w1=1)

    assert plan(
        {**observed, "w2": answers()},
        stacks=[shop(web(replicas=3))],
        replicas=replicas,
        nodes=[node("w1", schedulable=False), node("w2")],
    ) == Plan((run(web(replicas=3), "w2", number=2), run(web(replicas=3), "w2", number=3)))


def test_a_replacement_that_fits_nowhere_leaves_the_old_one_serving() -> None:
    observed, replicas = serving(WEB, w1=1)
    grown = web("nginx:2", request=Resources(100, 8 * GIB))

    assert plan(observed, stacks=[shop(grown)], replicas=replicas) == Plan(
        (), (Refusal("shop/web.1", "the only node lacks 8g memory (most free: w1 4g)"),)
    )


def test_what_does_not_run_is_removed_though_its_successor_fits_nowhere() -> None:
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(FIRST, WEB, "exited", exit_code=1))}
    grown = web(request=Resources(100, 8 * GIB))

    planned = plan(observed, stacks=[shop(grown)], replicas=[FIRST])

    assert planned.actions == (remove(FIRST, "its specification changed"),)
    assert [refusal.object for refusal in planned.refusals] == ["shop/web.1"]


def test_a_replacement_as_large_as_its_node_fits_in_its_predecessor_s_place() -> None:
    observed, replicas = serving(web(request=LARGE), w1=1)
    changed = web("nginx:2", request=LARGE)

    assert plan(observed, stacks=[shop(changed)], replicas=replicas) == Plan(
        (remove(replicas[0], UPDATE), run(changed, "w1", UPDATE, attempt=2))
    )


def test_what_a_stranded_replica_holds_is_not_started_a_second_time() -> None:
    stranded = replica_of(web(replicas=2), "w1")

    assert plan({"w1": silent(), "w2": answers()}, stacks=[shop(web(replicas=2))], replicas=[stranded]) == Plan(
        (run(web(replicas=2), "w2", number=2),),
        (Refusal("w1", "connection refused; 1 replica there is left as it is", "w1"),),
    )


def test_a_service_s_own_grace_goes_with_its_replicas() -> None:
    patient = msgspec.structs.replace(WEB, stop_grace=90)

    (started,) = plan({"w1": answers()}, stacks=[shop(patient)]).actions

    assert started.replica.stop_grace == 90


def test_refusals_name_each_slot_that_fits_nowhere() -> None:
    spec = web(replicas=3, request=Resources(100, 3 * GIB))

    planned = plan({"w1": answers(), "w2": silent()}, stacks=[shop(spec)])

    why = "1 of 2 nodes lacks 3g memory (most free: w1 1g); 1 is unreachable"
    assert planned == Plan((run(spec, "w1"),), (Refusal("shop/web.2", why), Refusal("shop/web.3", why)))
