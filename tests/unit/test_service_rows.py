"""Rows about services and stacks."""

from __future__ import annotations

import msgspec
import pytest

from orch.controllers.services import ServiceStatus, StackStatus, service_statuses, stack_statuses
from orch.model.container import Port
from orch.model.node import NodeObservation
from orch.model.plan import Desired
from orch.model.replica import Replica
from orch.model.spec import Mode, ServiceSpec, StackSpec
from tests.unit.clusters import CLUSTER, answers, container_of, node, replica_of, shop, silent, web

WEB, NEXT = web(replicas=3), web("nginx:2", replicas=3)
FIRST, SECOND = replica_of(WEB, "w1"), replica_of(WEB, "w2", number=2)
UPDATED = replica_of(NEXT, "w1", number=2)


def desired(*replicas: Replica, stacks: tuple[StackSpec, ...] = (shop(WEB),), nodes: str = "w1 w2") -> Desired:
    return Desired(CLUSTER, tuple(map(node, nodes.split())), stacks, replicas)


def row(cluster: Desired, observed: dict[str, NodeObservation]) -> ServiceStatus:
    (found,) = service_statuses(cluster, observed)
    return found


def counts(found: ServiceStatus) -> tuple[int, int, int, int, int]:
    return found.desired, found.running, found.ready, found.updated, found.completed


def test_a_service_is_told_whole() -> None:
    spec = msgspec.structs.replace(WEB, ports=(Port(80, 8080), Port(81, 8081, mode="host")))
    first = replica_of(spec, "w1")

    found = row(desired(first, stacks=(shop(spec),)), {"w1": answers(container_of(first, spec)), "w2": answers()})

    assert found == ServiceStatus(
        stack="shop",
        service="web",
        mode="replicated",
        desired=3,
        running=1,
        ready=1,
        updated=1,
        completed=0,
        image="nginx:1",
        vip=None,
        ports=("8080:80/tcp", "8081:81/tcp"),
        closed_ports=("8080:80/tcp",),
        endpoints=("10.88.0.7",),
    )
    assert found.name == "shop/web"


def test_a_replica_made_from_an_older_specification_runs_and_is_not_updated() -> None:
    observed: dict[str, NodeObservation] = {
        "w1": answers(container_of(FIRST, WEB), container_of(UPDATED, NEXT)),
        "w2": answers(),
    }

    assert counts(row(desired(FIRST, UPDATED, stacks=(shop(NEXT),)), observed)) == (3, 2, 2, 1, 0)


def test_what_is_out_of_sight_or_gone_counts_nowhere() -> None:
    assert counts(row(desired(FIRST, SECOND), {"w1": answers(), "w2": silent()})) == (3, 0, 0, 0, 0)


def test_what_runs_beyond_what_is_wanted_is_not_the_service_s_any_more() -> None:
    fewer = web(replicas=1)
    observed: dict[str, NodeObservation] = {
        "w1": answers(container_of(FIRST, WEB)),
        "w2": answers(container_of(SECOND, WEB)),
    }

    assert counts(row(desired(FIRST, SECOND, stacks=(shop(fewer),)), observed)) == (1, 1, 1, 1, 0)


def test_a_global_service_wants_one_on_each_node_that_may_run_it() -> None:
    agent = msgspec.structs.replace(WEB, mode="global")

    found = row(
        desired(stacks=(shop(agent),), nodes="w1 w2 w3"),
        {"w1": answers(), "w2": silent(), "w3": answers()},
    )

    assert (found.mode, found.desired) == ("global", 2)


@pytest.mark.parametrize(
    ("mode", "exit_code", "completed"), [("replicated-job", 0, 1), ("replicated-job", 1, 0), ("replicated", 0, 0)]
)
def test_a_job_that_ended_well_is_completed(mode: Mode, exit_code: int, completed: int) -> None:
    job = ServiceSpec("web", "nginx:1", mode=mode)
    first = replica_of(job, "w1")
    ended = container_of(first, job, "exited", exit_code=exit_code)

    found = row(desired(first, stacks=(shop(job),), nodes="w1"), {"w1": answers(ended)})

    assert counts(found) == (1, 0, 0, 1, completed)


def test_services_are_sorted_by_stack_and_name() -> None:
    api = ServiceSpec("api", "api:1")
    stacks = (shop(WEB, api), StackSpec("blog", (WEB,)))

    names = [found.name for found in service_statuses(desired(stacks=stacks), {"w1": answers(), "w2": answers()})]

    assert names == ["blog/web", "shop/api", "shop/web"]


def test_a_stack_sums_up_its_services() -> None:
    api = ServiceSpec("api", "api:1")
    observed: dict[str, NodeObservation] = {"w1": answers(container_of(FIRST, WEB)), "w2": silent()}

    assert stack_statuses(desired(FIRST, stacks=(shop(api, WEB),)), observed) == [
        StackStatus("shop", services=2, desired=4, running=1, ready=1, updated=1, completed=0)
    ]


def test_a_stack_that_is_removed_is_told_as_long_as_it_has_replicas() -> None:
    observed: dict[str, NodeObservation] = {"w1": silent(), "w2": answers()}

    assert stack_statuses(desired(FIRST, stacks=()), observed) == [
        StackStatus("shop", services=0, desired=0, running=0, ready=0, updated=0, completed=0, leaving=1)
    ]
