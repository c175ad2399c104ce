"""What holds of every plan, whatever the cluster looked like before."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.controllers.cluster import plan_cluster
from orch.controllers.rooms import allocatable_of
from orch.model.node import Container, Reachable
from orch.model.plan import Desired, Forget, Plan, Run
from orch.model.replica import Slot
from orch.model.resources import Resources, total
from orch.model.spec import ServiceSpec
from tests.property.fleets import Cluster, clusters, shuffled
from tests.property.model import apply_plan

moderately = settings(max_examples=150, deadline=None)


def plan_of(cluster: Cluster) -> Plan:
    return plan_cluster(cluster.desired, cluster.observed, now=0.0)


def carried_out(cluster: Cluster) -> tuple[Plan, Cluster]:
    plan = plan_of(cluster)
    return plan, Cluster(*apply_plan(plan, cluster.desired, cluster.observed))


@moderately
@given(clusters())
def test_a_plan_carried_out_leaves_nothing_to_do(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    assert plan_of(after) == Plan((), plan.refusals)


@moderately
@given(st.data())
def test_the_order_in_which_things_are_told_changes_no_byte(data: st.DataObject) -> None:
    cluster = data.draw(clusters())

    told_otherwise = plan_of(data.draw(shuffled(cluster)))

    assert msgspec.json.encode(told_otherwise) == msgspec.json.encode(plan_of(cluster))


@moderately
@given(clusters())
def test_what_is_started_never_overfills_its_node(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    free = free_on_open_nodes(after)
    for replica in started(plan):
        assert replica.request.fits(free[replica.node] + replica.request)
        # A request of nothing fits on a node that is overfilled already, any other one fits beside all that is there.
        assert replica.request.millicpus == 0 or free[replica.node].millicpus >= 0
        assert replica.request.memory == 0 or free[replica.node].memory >= 0
