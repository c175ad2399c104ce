"""What holds of every plan, whatever the cluster was like before."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.controllers.cluster import plan_cluster
from orch.controllers.rooms import allocatable_of
from orch.model.node import Container, NodeSpec, Reachable
from orch.model.plan import Plan, Remove, Run
from orch.model.replica import Slot
from orch.model.resources import Resources, total
from orch.model.spec import ServiceSpec
from tests.property.fleets import GONE, Cluster, clusters, shuffled
from tests.property.model import apply_plan

moderately = settings(max_examples=300, deadline=None)


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
def test_what_is_started_overfills_no_node(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    free = {node.name: free_on(after, node) for node in open_nodes(after)}
    for run in runs(plan):
        request, left = run.replica.request, free[run.replica.node]
        assert left.millicpus >= 0 or request.millicpus == 0
        assert left.memory >= 0 or request.memory == 0


@moderately
@given(clusters())
def test_a_slot_is_refused_only_if_its_request_fits_on_no_open_node(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    free = {node.name: free_on(after, node) for node in open_nodes(after)}
    for slot, spec in wanted(cluster).items():
        if is_refused(plan, slot):
            assert [name for name, left in free.items() if spec.request.fits(left)] == []


@moderately
@given(clusters())
def test_containers_without_a_record_of_an_unknown_stack_are_left_alone(cluster: Cluster) -> None:
    recorded = {(r.node, r.id) for r in cluster.desired.replicas}
    stacks = {s.name for s in cluster.desired.stacks}
    alien = {
        c.id
        for node, c in containers_on_ready_nodes(cluster)
        if c.slot.stack not in stacks and (node, c.replica) not in recorded
    }

    plan, after = carried_out(cluster)

    assert alien.isdisjoint({a.container for a in plan.actions if isinstance(a, Remove)})
    assert alien <= {c.id for _, c in containers_on_ready_nodes(after)}


@moderately
@given(clusters())
def test_no_action_names_a_node_that_is_unreachable_or_unsuitable(cluster: Cluster) -> None:
    named = {action.replica.node for action in plan_of(cluster).actions}

    assert named <= {*ready_nodes(cluster), *GONE}


@moderately
@given(clusters())
def test_every_wanted_slot_is_filled_once_or_refused_or_stranded(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    filling = containers_by_slot(after)
    for slot, spec in wanted(cluster).items():
        found = filling.get(slot, [])
        assert len(found) <= 1
        if is_refused(plan, slot) or is_stranded(cluster, slot):
            assert all(c.state == "running" or fills(c, spec) for c in found)
        else:
            assert [fills(c, spec) for c in found] == [True]


@moderately
@given(clusters())
def test_nothing_of_a_known_stack_is_left_that_is_not_wanted(cluster: Cluster) -> None:
    _, after = carried_out(cluster)

    stacks = {s.name for s in cluster.desired.stacks}
    assert {slot for slot in containers_by_slot(after) if slot.stack in stacks} <= set(wanted(cluster))


@moderately
@given(clusters())
def test_what_serves_is_removed_only_when_its_slot_stays_filled_or_is_not_wanted(cluster: Cluster) -> None:
    recorded = {(r.node, r.id) for r in cluster.desired.replicas}
    serving = {
        c.slot
        for node, c in containers_on_ready_nodes(cluster)
        if c.state == "running" and (node, c.replica) in recorded
    }

    _, after = carried_out(cluster)

    assert serving & set(wanted(cluster)) <= set(containers_by_slot(after))


def runs(plan: Plan) -> list[Run]:
    return [action for action in plan.actions if isinstance(action, Run)]


def wanted(cluster: Cluster) -> dict[Slot, ServiceSpec]:
    services = cluster.desired.services().items()
    return {Slot(*key, number): spec for key, spec in services for number in range(1, spec.replicas + 1)}


def is_refused(plan: Plan, slot: Slot) -> bool:
    return any(refusal.object == str(slot) for refusal in plan.refusals)


def is_stranded(cluster: Cluster, slot: Slot) -> bool:
    """A record of it is on a node of the inventory that cannot be worked with."""
    beyond = {n.name for n in cluster.desired.nodes} - ready_nodes(cluster)
    return any(r.slot == slot and r.node in beyond for r in cluster.desired.replicas)


def ready_nodes(cluster: Cluster) -> set[str]:
    return {name for name, seen in cluster.observed.items() if isinstance(seen, Reachable) and not seen.problem}


def open_nodes(cluster: Cluster) -> list[NodeSpec]:
    ready = ready_nodes(cluster)
    return [node for node in cluster.desired.nodes if node.schedulable and node.name in ready]


def free_on(cluster: Cluster, node: NodeSpec) -> Resources:
    """What the records leave of a node that answers."""
    seen = cluster.observed[node.name]
    assert isinstance(seen, Reachable)
    return allocatable_of(node, seen) - total([r.request for r in cluster.desired.replicas if r.node == node.name])


def containers_on_ready_nodes(cluster: Cluster) -> Iterator[tuple[str, Container]]:
    ready = ready_nodes(cluster)
    for name, seen in cluster.observed.items():
        if isinstance(seen, Reachable) and name in ready:
            yield from ((name, container) for container in seen.containers)


def containers_by_slot(cluster: Cluster) -> dict[Slot, list[Container]]:
    found: dict[Slot, list[Container]] = {}
    for _, container in containers_on_ready_nodes(cluster):
        found.setdefault(container.slot, []).append(container)
    return found


def fills(container: Container, spec: ServiceSpec) -> bool:
    """It is made from what is wanted, and it runs, or has ended as its restart policy lets it."""
    if container.spec_hash != spec.hash:
        return False
    if container.state == "exited":
        succeeded, policy = container.exit_code == 0, spec.restart
        return policy.condition == "no" or (policy.condition == "on-failure" and (succeeded or policy.attempts > 0))
    return container.state in {"running", "paused"}
