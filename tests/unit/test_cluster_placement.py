"""What the plan does when the rules of placement change under running replicas, and what it knows of volumes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from orch.controllers.cluster import plan_cluster
from orch.model.container import FileMount, Port, VolumeMount
from orch.model.node import NodeObservation, NodeSpec, Taint
from orch.model.placement import PlacementPolicy, parse_constraint
from orch.model.plan import Desired, Plan, Refusal, Remove, Run
from orch.model.replica import Replica
from orch.model.spec import ServiceSpec, StackSpec
from orch.model.volume import FileSpec, Volume, VolumeSpec
from tests.unit.clusters import CLUSTER, GIB, answers, container_of, node, replica_of, shop, silent, web

NORTH = PlacementPolicy((parse_constraint("node.labels.zone == north"),))
HTTP, HTTPS = Port(80, 80, mode="host"), Port(443, 443, mode="host")
DATA = VolumeSpec("data", "shop_data")


def placed(policy: PlacementPolicy, *, replicas: int = 1) -> ServiceSpec:
    return msgspec.structs.replace(web(replicas=replicas), placement=policy)


def storing(spec: ServiceSpec | None = None) -> ServiceSpec:
    return msgspec.structs.replace(spec or web(), mounts=(VolumeMount("/data", "shop_data"),))


def labelled(name: str, zone: str) -> NodeSpec:
    return msgspec.structs.replace(node(name), labels={"zone": zone})


def plan(
    observed: dict[str, NodeObservation],
    stack: StackSpec,
    *replicas: Replica,
    nodes: Sequence[NodeSpec] = (),
    volumes: Sequence[Volume] = (),
) -> Plan:
    specs = tuple(nodes) or tuple(map(node, observed))
    return plan_cluster(Desired(CLUSTER, specs, (stack,), replicas, tuple(volumes)), observed, now=0.0)


def serving(spec: ServiceSpec, *names: str) -> tuple[dict[str, NodeObservation], list[Replica]]:
    """Slots 1, 2, … of the service run on these nodes."""
    replicas = [replica_of(spec, name, number=number) for number, name in enumerate(names, 1)]
    observed: dict[str, NodeObservation] = {
        name: answers(*(container_of(r, spec) for r in replicas if r.node == name)) for name in names
    }
    return observed, replicas


def test_a_replica_moves_off_a_node_that_does_not_meet_a_new_constraint() -> None:
    observed, (first,) = serving(web(), "w1")
    moved = placed(NORTH)

    planned = plan(
        {**observed, "w2": answers()}, shop(moved), first, nodes=[labelled("w1", "south"), labelled("w2", "north")]
    )

    why = "w1 fails the constraint node.labels.zone == north"
    assert planned == Plan((Remove(first, "w1-1-1", why), Run(replica_of(moved, "w2", attempt=2), moved, why)))


def test_with_nowhere_to_go_it_serves_on_and_that_is_told() -> None:
    observed, (first,) = serving(web(), "w1")

    assert plan(observed, shop(placed(NORTH)), first, nodes=[labelled("w1", "south")]) == Plan(
        (), (Refusal("shop/web.1", "the only node fails the constraint node.labels.zone == north (w1: south)"),)
    )


@pytest.mark.parametrize(("effect", "moves"), [("NoSchedule", False), ("NoExecute", True)])
def test_only_a_taint_that_evicts_moves_what_runs(effect: str, moves: bool) -> None:
    observed, (first,) = serving(web(), "w1")
    tainted = msgspec.structs.replace(node("w1"), taints=(Taint("old", effect),))  # type: ignore[arg-type]

    planned = plan({**observed, "w2": answers()}, shop(web()), first, nodes=[tainted, node("w2")])

    why = "w1 has the taint old:NoExecute"
    moving = Plan((Remove(first, "w1-1-1", why), Run(replica_of(web(), "w2", attempt=2), web(), why)))
    assert planned == (moving if moves else Plan())


def test_of_too_many_on_one_node_the_highest_slots_move() -> None:
    observed, replicas = serving(web(replicas=3), "w1", "w1", "w1")
    fewer = placed(PlacementPolicy(max_per_node=1), replicas=3)

    planned = plan({**observed, "w2": answers()}, shop(fewer), *replicas)

    why = "w1 may have no more than 1 of it"
    assert planned == Plan(
        (Remove(replicas[1], "w1-2-1", why), Run(replica_of(fewer, "w2", number=2, attempt=2), fewer, why)),
        (Refusal("shop/web.3", "all 2 nodes have 1 replica of it already, the most allowed"),),
    )


def test_what_has_ended_as_it_should_is_not_moved() -> None:
    once = msgspec.structs.replace(placed(NORTH), restart=ServiceSpec("", "").restart)
    first = replica_of(once, "w1")
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(first, once, "exited")), "w2": answers()}

    assert plan(observed, shop(once), first, nodes=[labelled("w1", "south"), labelled("w2", "north")]) == Plan()


def test_a_changed_replica_takes_over_its_predecessor_s_port() -> None:
    old = msgspec.structs.replace(web(), ports=(HTTP,))
    new = msgspec.structs.replace(web("nginx:2"), ports=(HTTP, HTTPS))
    first = msgspec.structs.replace(replica_of(old, "w1"), ports=(HTTP,))

    planned = plan({"w1": answers(container_of(first, old))}, shop(new), first)

    (removed, run) = planned.actions
    assert (type(removed), planned.refusals) == (Remove, ())
    assert run.replica.ports == (HTTP, HTTPS)


def test_two_stacks_that_claim_one_port_are_told_of_each_other() -> None:
    spec = msgspec.structs.replace(web(), ports=(HTTP,))
    theirs = msgspec.structs.replace(replica_of(spec, "w1", stack="blog"), ports=(HTTP,))
    desired = Desired(CLUSTER, (node("w1"),), (shop(spec), StackSpec("blog", (spec,))), (theirs,))

    planned = plan_cluster(desired, {"w1": answers(container_of(theirs, spec))}, now=0.0)

    assert planned == Plan((), (Refusal("shop/web.1", "port 80/tcp is taken on the only node (w1: blog/web.1)"),))


def test_ingress_ports_and_ports_without_a_number_take_nothing() -> None:
    spec = msgspec.structs.replace(web(replicas=2), ports=(Port(80, 80), Port(81, mode="host")))

    planned = plan({"w1": answers()}, shop(spec))

    assert [action.replica.ports for action in planned.actions] == [(), ()]


def test_the_first_replica_with_a_volume_gives_it_a_home() -> None:
    spec = storing(web(replicas=2))
    stack = StackSpec("shop", (spec,), volumes=(DATA, VolumeSpec("other", "shop_other")))

    planned = plan({"w1": answers(), "w2": answers()}, stack)

    assert [(a.replica.node, a.volumes) for a in planned.actions if isinstance(a, Run)] == [("w1", (DATA,))] * 2
    assert planned.volumes == (Volume("shop_data", "w1", "shop"),)


def test_a_recorded_volume_binds_its_replicas_though_its_node_is_away() -> None:
    planned = plan(
        {"w1": answers(), "w2": silent()},
        StackSpec("shop", (storing(),), volumes=(DATA,)),
        volumes=[Volume("shop_data", "w2", "shop")],
    )

    reason = "1 of 2 nodes is not where its volume shop_data is: on w2 (unreachable); 1 is unreachable"
    assert planned == Plan((), (Refusal("shop/web.1", reason),))


def test_the_home_of_a_volume_that_a_running_replica_uses_is_recorded() -> None:
    spec = storing()
    first = replica_of(spec, "w2")
    observed: dict[str, NodeObservation] = {"w1": answers(), "w2": answers(container_of(first, spec))}

    assert plan(observed, StackSpec("shop", (spec,), volumes=(DATA,)), first) == Plan(
        volumes=(Volume("shop_data", "w2", "shop"),)
    )


def test_a_replica_away_from_its_volume_s_home_moves_there() -> None:
    spec = storing()
    first = replica_of(spec, "w1")
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(first, spec)), "w2": answers()}
    stack = StackSpec("shop", (spec,), volumes=(DATA,))

    planned = plan(observed, stack, first, volumes=[Volume("shop_data", "w2", "shop")])

    why = "its volume shop_data has its data on w2"
    assert planned == Plan(
        (Remove(first, "w1-1-1", why), Run(replica_of(spec, "w2", attempt=2), spec, why, volumes=(DATA,)))
    )


@pytest.mark.parametrize(
    ("having", "chosen"), [(("w2",), "w2"), ((), "w1"), (("w2", "w3"), "w1")], ids=["one", "nobody", "several"]
)
def test_without_a_record_a_volume_is_where_one_node_alone_has_it(having: tuple[str, ...], chosen: str) -> None:
    """As after the state was lost: a database must not begin anew beside its data."""
    observed: dict[str, NodeObservation] = {
        name: msgspec.structs.replace(answers(), volumes=("shop_data",) if name in having else ())
        for name in ("w1", "w2", "w3")
    }

    planned = plan(observed, StackSpec("shop", (storing(),), volumes=(DATA,)))

    assert planned.volumes == (Volume("shop_data", chosen, "shop"),)


@pytest.mark.parametrize(
    "volume",
    [
        msgspec.structs.replace(DATA, driver="nfs"),
        msgspec.structs.replace(DATA, options={"type": "nfs"}),
        msgspec.structs.replace(DATA, external=True),
    ],
    ids=["driver", "type", "external"],
)
def test_volumes_that_are_not_orch_s_or_not_on_one_node_have_no_home(volume: VolumeSpec) -> None:
    planned = plan(
        {"w1": answers(), "w2": answers()}, StackSpec("shop", (storing(web(replicas=2)),), volumes=(volume,))
    )

    assert {action.replica.node for action in planned.actions} == {"w1", "w2"}
    assert planned.volumes == ()


def test_a_volume_of_which_the_stack_says_nothing_is_taken_for_a_local_one() -> None:
    assert plan({"w1": answers()}, shop(storing())).volumes == (Volume("shop_data", "w1", "shop"),)


def test_what_is_started_carries_the_files_that_it_names() -> None:
    config, secret, other = FileSpec("config", "a", b"1"), FileSpec("secret", "a", b"2"), FileSpec("config", "b", b"1")
    spec = msgspec.structs.replace(web(), files=(FileMount("a", "/a", secret.digest),))

    (run,) = plan({"w1": answers()}, StackSpec("shop", (spec,), files=(config, secret, other))).actions

    assert isinstance(run, Run)
    assert run.files == (secret,)


def test_an_image_that_is_there_decides_between_equal_nodes() -> None:
    observed: dict[str, NodeObservation] = {
        "w1": answers(),
        "w2": msgspec.structs.replace(answers(), images=("nginx:1", "other:1")),
    }

    assert [action.replica.node for action in plan(observed, shop(web())).actions] == ["w2"]


def test_a_node_s_own_words_count_for_its_platform() -> None:
    arm = msgspec.structs.replace(answers(), facts=msgspec.structs.replace(answers().facts, arch="aarch64"))
    spec = placed(
        PlacementPolicy((parse_constraint("node.platform.arch == arm64"), parse_constraint("node.role == worker")))
    )

    assert [a.replica.node for a in plan({"w1": answers(), "w2": arm}, shop(spec)).actions] == ["w2"]


def test_a_grown_replica_moves_with_its_volume_nowhere() -> None:
    """It is bound to its node, so it is refused there rather than started elsewhere without its data."""
    spec = storing()
    first = replica_of(spec, "w1")
    grown = msgspec.structs.replace(spec, request=msgspec.structs.replace(spec.request, memory=8 * GIB))
    observed: dict[str, NodeObservation] = {
        "w1": answers(container_of(first, spec)),
        "w2": answers(capacity=msgspec.structs.replace(spec.request, millicpus=4000, memory=16 * GIB)),
    }

    planned = plan(
        observed, StackSpec("shop", (grown,), volumes=(DATA,)), first, volumes=[Volume("shop_data", "w1", "shop")]
    )

    reason = "1 of 2 nodes lacks 8g memory (most free: w1 4g); 1 of 2 nodes is not where its volume shop_data is: on w1"
    assert planned == Plan((), (Refusal("shop/web.1", reason),))
