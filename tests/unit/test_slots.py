"""The slots of global services: one for each node that may run them, each node with a number that it keeps."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from orch.model.container import Port, VolumeMount
from orch.model.node import NodeObservation, NodeSpec, Taint
from orch.model.placement import PlacementPolicy, Toleration, parse_constraint
from orch.model.plan import Adopt, Forget, Plan, Refusal, Remove, Run
from orch.model.replica import Replica
from orch.model.resources import Resources
from orch.model.spec import Mode, ServiceSpec, StackSpec
from orch.model.volume import Volume, VolumeSpec
from tests.unit.clusters import GIB, SMALL, answers, container_of, node, plan, replica_of, shop, silent, web

AGENT = msgspec.structs.replace(web(), mode="global")
HTTP = Port(80, 80, mode="host")
NORTH = msgspec.structs.replace(AGENT, placement=PlacementPolicy((parse_constraint("node.labels.zone == north"),)))


def started(planned: Plan) -> dict[str, int]:
    """Node → slot of what is started."""
    return {a.replica.node: a.replica.slot.number for a in planned.actions if isinstance(a, Run)}


def running(**numbers: int) -> tuple[dict[str, NodeObservation], list[Replica]]:
    """`w1=3`: slot 3 runs on w1; 0: nothing does."""
    replicas = [replica_of(AGENT, name, number=number) for name, number in numbers.items() if number]
    observed: dict[str, NodeObservation] = {name: answers() for name in numbers}
    for replica in replicas:
        observed[replica.node] = answers(container_of(replica, AGENT))
    return observed, replicas


def agent(
    observed: dict[str, NodeObservation],
    replicas: Sequence[Replica] = (),
    *,
    nodes: Sequence[NodeSpec] | None = None,
    spec: ServiceSpec = AGENT,
) -> Plan:
    return plan(observed, stacks=[shop(spec)], replicas=replicas, nodes=nodes)


def with_labels(name: str, **labels: str) -> NodeSpec:
    return msgspec.structs.replace(node(name), labels=labels)


def with_taints(name: str, *taints: Taint) -> NodeSpec:
    return msgspec.structs.replace(node(name), taints=taints)


def test_each_node_gets_one() -> None:
    assert started(agent({"w2": answers(), "w1": answers(), "w3": answers()})) == {"w1": 1, "w2": 2, "w3": 3}


def test_what_runs_everywhere_needs_nothing() -> None:
    assert agent(*running(w1=2, w2=1)) == Plan()


def test_a_new_node_gets_the_lowest_free_number_and_the_others_keep_theirs() -> None:
    assert agent(*running(w0=0, w1=1, w2=4, w3=0)) == Plan(
        (
            Run(replica_of(AGENT, "w0", number=2), AGENT, "wanted"),
            Run(replica_of(AGENT, "w3", number=3), AGENT, "wanted"),
        )
    )


def test_a_node_whose_replica_is_lost_keeps_its_number() -> None:
    _, replicas = running(w1=2, w2=1)

    planned = agent({"w1": answers(), "w2": answers()}, replicas)

    assert started(planned) == {"w1": 2, "w2": 1}


def test_nodes_that_may_not_run_it_have_none() -> None:
    nodes = [
        node("w1", schedulable=False),
        with_taints("w2", Taint("gpu", "NoSchedule")),
        with_labels("w3", zone="north"),
        with_labels("w4", zone="south"),
        with_labels("w5", zone="north"),
    ]
    observed: dict[str, NodeObservation] = {spec.name: answers() for spec in nodes} | {"w5": silent()}

    planned = agent(observed, nodes=nodes, spec=NORTH)

    assert (started(planned), planned.refusals) == ({"w3": 1}, ())


@pytest.mark.parametrize(
    "closed",
    [node("w1", schedulable=False), with_taints("w1", Taint("gpu", "NoSchedule"))],
    ids=["not schedulable", "tainted"],
)
def test_on_a_node_that_takes_nothing_new_what_runs_stays(closed: NodeSpec) -> None:
    observed, replicas = running(w1=1)

    assert agent(observed, replicas, nodes=[closed]) == Plan()
    assert agent({"w1": answers()}, replicas, nodes=[closed]) == Plan((Forget(replicas[0], "not wanted any more"),))


def test_what_runs_on_a_node_that_takes_nothing_new_is_not_replaced() -> None:
    observed, replicas = running(w1=1)
    changed = msgspec.structs.replace(web("nginx:2"), mode="global")

    assert agent(observed, replicas, nodes=[node("w1", schedulable=False)], spec=changed) == Plan(
        (), (Refusal("shop/web.1", "w1 is not schedulable"),)
    )


@pytest.mark.parametrize(
    ("where", "spec", "why"),
    [
        (with_labels("w1", zone="south"), NORTH, "w1 fails the constraint node.labels.zone == north"),
        (with_taints("w1", Taint("old", "NoExecute")), AGENT, "w1 has the taint old:NoExecute"),
    ],
)
def test_from_a_node_that_may_not_have_it_any_more_it_goes(where: NodeSpec, spec: ServiceSpec, why: str) -> None:
    observed, replicas = running(w1=1)

    assert agent(observed, replicas, nodes=[where], spec=spec) == Plan((Remove(replicas[0], "w1-1-1", why),))


def test_a_tolerated_taint_drives_nothing_away() -> None:
    observed, replicas = running(w1=1)
    tolerant = msgspec.structs.replace(AGENT, placement=PlacementPolicy(tolerations=(Toleration("old"),)))

    assert agent(observed, replicas, nodes=[with_taints("w1", Taint("old", "NoExecute"))], spec=tolerant) == Plan()


def test_a_node_where_it_does_not_fit_is_refused_by_name() -> None:
    large = msgspec.structs.replace(AGENT, request=Resources(100, 3 * GIB))
    observed: dict[str, NodeObservation] = {"w1": answers(capacity=Resources(4000, 2 * GIB)), "w2": answers()}

    planned = agent(observed, spec=large)

    assert started(planned) == {"w2": 2}
    assert planned.refusals == (Refusal("shop/web.1", "w1 lacks 3g memory (free: w1 2g)"),)


def test_out_of_reach_its_number_is_not_given_away() -> None:
    _, replicas = running(w1=1)

    planned = agent({"w1": silent(), "w2": answers()}, replicas)

    assert started(planned) == {"w2": 2}
    assert [refusal.node for refusal in planned.refusals] == ["w1"]


def test_a_number_that_is_out_of_reach_is_nobody_else_s_even_where_it_was_recorded() -> None:
    """Where it is out of reach it may not even stay, so that node has no slot; the other was there before."""
    away, lost = replica_of(AGENT, "w1", number=2, attempt=2), replica_of(AGENT, "w2", number=2)
    nodes = [with_taints("w1", Taint("old", "NoExecute")), node("w2")]

    planned = agent({"w1": silent(), "w2": answers()}, [away, lost], nodes=nodes)

    assert started(planned) == {"w2": 1}


def test_a_new_node_gets_no_number_that_is_out_of_reach() -> None:
    away = replica_of(AGENT, "w1")
    nodes = [with_taints("w1", Taint("old", "NoExecute")), node("w2")]

    assert started(agent({"w1": silent(), "w2": answers()}, [away], nodes=nodes)) == {"w2": 2}


def test_the_number_of_a_node_that_left_is_free() -> None:
    _, replicas = running(w1=1)

    assert agent({"w2": answers()}, replicas) == Plan(
        (
            Forget(replicas[0], "not wanted, and w1 has left the inventory"),
            Run(replica_of(AGENT, "w2", attempt=2), AGENT, "wanted"),
        )
    )


def test_a_replicated_service_that_becomes_global_keeps_one_on_each_node() -> None:
    first, second = replica_of(AGENT, "w1"), replica_of(AGENT, "w1", number=2)
    there = answers(container_of(first, AGENT), container_of(second, AGENT))

    planned = agent({"w1": there, "w2": answers()}, [first, second])

    assert planned == Plan(
        (
            Remove(second, "w1-2-1", "not wanted any more"),
            Run(replica_of(AGENT, "w2", number=2, attempt=2), AGENT, "wanted"),
        )
    )


def test_after_the_state_was_lost_each_node_keeps_what_it_has() -> None:
    observed, replicas = running(w1=3, w2=1)

    planned = agent(observed)

    assert [action.replica for action in planned.actions if isinstance(action, Adopt)] == [replicas[1], replicas[0]]
    assert len(planned.actions) == 2


def test_every_node_has_its_own_volume_of_a_global_service() -> None:
    spec = msgspec.structs.replace(
        AGENT, mounts=(VolumeMount("/data", "shop_data"),), ports=(Port(80, 80, mode="host"),)
    )
    stack = StackSpec("shop", (spec,), volumes=(VolumeSpec("data", "shop_data"),))

    planned = plan({"w1": answers(), "w2": answers()}, stacks=[stack])

    assert (started(planned), planned.volumes) == ({"w1": 1, "w2": 2}, ())


@pytest.mark.parametrize("mode", ["replicated-job", "global-job"])
@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_job_that_has_ended_is_kept_and_needs_no_room(mode: Mode, exit_code: int) -> None:
    job = msgspec.structs.replace(web(request=Resources(4000, 4 * GIB)), mode=mode)
    done = replica_of(job, "w1")
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(done, job, "exited", exit_code=exit_code))}
    api = ServiceSpec("api", "api:1", request=SMALL)

    planned = plan(observed, stacks=[shop(api, job)], replicas=[done])

    assert planned == Plan((Run(replica_of(api, "w1"), api, "wanted"),))


def test_a_job_that_has_ended_is_adopted_and_not_run_again() -> None:
    """As after the state was lost."""
    job = msgspec.structs.replace(web(), mode="replicated-job")
    done = replica_of(job, "w1")
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(done, job, "exited"))}

    (action,) = plan(observed, stacks=[shop(job)]).actions

    assert isinstance(action, Adopt)


def test_a_job_that_has_changed_is_run_again() -> None:
    job = msgspec.structs.replace(web(), mode="replicated-job")
    changed = msgspec.structs.replace(web("nginx:2"), mode="replicated-job")
    done = replica_of(job, "w1")
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(done, job, "exited"))}

    planned = plan(observed, stacks=[shop(changed)], replicas=[done])

    assert [type(action) for action in planned.actions] == [Remove, Run]


def test_a_job_moves_to_no_other_node_once_it_has_ended() -> None:
    job = msgspec.structs.replace(NORTH, mode="replicated-job")
    done = replica_of(job, "w1")
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(done, job, "exited")), "w2": answers()}

    nodes = [with_labels("w1", zone="south"), with_labels("w2", zone="north")]
    assert plan(observed, stacks=[shop(job)], replicas=[done], nodes=nodes) == Plan()


def test_a_volume_of_a_job_is_recorded_as_any_other() -> None:
    job = msgspec.structs.replace(web(), mode="replicated-job", mounts=(VolumeMount("/data", "shop_data"),))
    stack = StackSpec("shop", (job,), volumes=(VolumeSpec("data", "shop_data"),))

    assert plan({"w1": answers()}, stacks=[stack]).volumes == (Volume("shop_data", "w1", "shop"),)
