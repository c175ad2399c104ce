"""What holds of every plan, whatever the cluster was like before."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.controllers.cluster import plan_cluster
from orch.model.node import Container, Reachable
from orch.model.plan import Plan, Remove, Run
from orch.model.replica import Replica, Slot
from tests.property.fleets import GONE, Cluster, clusters, shuffled
from tests.property.model import apply_plan, conflict
from tests.property.oracle import (
    everywhere,
    fills,
    free_on,
    has_place,
    holders,
    may_come,
    may_stay,
    numbered,
    open_nodes,
    ready_nodes,
    volumes_allow,
    volumes_of,
)

moderately = settings(max_examples=200, deadline=None)


def plan_of(cluster: Cluster) -> Plan:
    return plan_cluster(cluster.desired, cluster.observed, now=0.0)


def carried_out(cluster: Cluster) -> tuple[Plan, Cluster]:
    plan = plan_of(cluster)
    return plan, Cluster(*apply_plan(plan, cluster.desired, cluster.observed))


@moderately
@given(clusters())
def test_a_plan_carried_out_leaves_nothing_to_do(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    again = plan_of(after)
    assert (again.actions, again.volumes) == ((), ())
    assert without_numbers(again, cluster) == without_numbers(Plan((), plan.refusals), cluster)


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
def test_what_is_started_breaks_no_rule_of_its_placement(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    nodes = {node.name: node for node in after.desired.nodes}
    for run in runs(plan):
        replica, spec = run.replica, run.spec
        there = holders(after, replica.node)
        own = [r for r in there if (r.slot.stack, r.slot.service) == (replica.slot.stack, replica.slot.service)]
        assert may_come(after, nodes[replica.node], spec)
        assert len(own) <= (spec.placement.max_per_node or len(own))
        assert volumes_allow(after, nodes[replica.node], spec, replica.slot.stack)
        assert not any(conflict(p, q) for r in there if r.id != replica.id for p in replica.ports for q in r.ports)
        assert replica.ports == spec.ports


@moderately
@given(clusters())
def test_a_slot_is_refused_only_if_it_fits_on_no_node(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    for slot, spec in numbered(cluster).items():
        if is_refused(plan, slot):
            possible = [node for node in after.desired.nodes if may_come(after, node, spec)]
            assert [node.name for node in possible if has_place(after, node, spec, slot.stack)] == []


@moderately
@given(clusters())
def test_a_refusal_counts_every_node(cluster: Cluster) -> None:
    plan = plan_of(cluster)

    total = len(cluster.desired.nodes)
    for slot in numbered(cluster):
        for refusal in plan.refusals:
            if refusal.object == str(slot):
                assert sum(counted(part, total) for part in refusal.reason.split("; ")) == total


@moderately
@given(clusters())
def test_a_global_service_is_on_every_node_that_may_have_it_or_refused_there(cluster: Cluster) -> None:
    plan, after = carried_out(cluster)

    for (stack, name), spec in everywhere(cluster).items():
        refused = [r.reason for r in plan.refusals if r.object.startswith(f"{stack}/{name}.")]
        assert [reason for reason in refused if reason.split()[0] not in ready_nodes(cluster) | {"port"}] == []
        lacking = set()
        for node in cluster.desired.nodes:
            there = [c for n, c in containers_on_ready_nodes(after) if n == node.name and is_of(c, stack, name)]
            assert len(there) <= 1
            if may_come(cluster, node, spec) and not [c for c in there if fills(c, spec)]:
                lacking.add(node.name)
                assert there or not has_place(after, node, spec, stack)
            assert not there or may_stay(node, spec)
        assert len(refused) >= len(lacking)
        assert len(refused) <= len(lacking) + sum(not may_come(cluster, n, spec) for n in cluster.desired.nodes)


@moderately
@given(clusters())
def test_a_node_keeps_its_number_in_a_global_service(cluster: Cluster) -> None:
    _, after = carried_out(cluster)

    services = everywhere(cluster)
    found = [c.slot for _, c in containers_on_ready_nodes(after) if (c.slot.stack, c.slot.service) in services]
    assert len(found) == len(set(found))
    before = {(node, c.replica): c for node, c in containers_on_ready_nodes(cluster)}
    recorded = {(r.node, r.id): r for r in cluster.desired.replicas}
    for node, container in containers_on_ready_nodes(after):
        key = (container.slot.stack, container.slot.service)
        running = [
            r.slot
            for at, r in recorded.items()
            if r.node == node
            and (r.slot.stack, r.slot.service) == key
            and at in before
            and before[at].state == "running"
        ]
        alone = len(running) == 1 and [r.slot for r in recorded.values()].count(running[0]) == 1
        if key in services and alone:
            assert container.slot == running[0]


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
    for slot, spec in numbered(cluster).items():
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

    stacks, services = {s.name for s in cluster.desired.stacks}, everywhere(cluster)
    left = {slot for slot in containers_by_slot(after) if slot.stack in stacks}
    assert {slot for slot in left if (slot.stack, slot.service) not in services} <= set(numbered(cluster))


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

    assert serving & set(numbered(cluster)) <= set(containers_by_slot(after))


@moderately
@given(clusters())
def test_a_job_that_has_ended_is_left_as_it_is(cluster: Cluster) -> None:
    recorded = {(r.node, r.id): r for r in cluster.desired.replicas}
    ended = {
        c.slot
        for node, c in containers_on_ready_nodes(cluster)
        for record in [recorded.get((node, c.replica))]
        for spec in [numbered(cluster).get(c.slot)]
        if spec and record and spec.mode == "replicated-job" and c.state == "exited"
        if record.spec_hash == c.spec_hash == spec.hash
    }

    plan, _ = carried_out(cluster)

    assert not any(isinstance(action, Run) and action.replica.slot in ended for action in plan.actions)


@moderately
@given(clusters())
def test_what_is_started_carries_the_volumes_that_it_names(cluster: Cluster) -> None:
    for run in runs(plan_of(cluster)):
        assert list(run.volumes) == volumes_of(cluster, run.spec, run.replica.slot.stack)


def runs(plan: Plan) -> list[Run]:
    return [action for action in plan.actions if isinstance(action, Run)]


def without_numbers(plan: Plan, cluster: Cluster) -> Plan:
    """A node that is refused keeps no number in a global service: nothing of it is there."""
    services = {f"{stack}/{name}" for stack, name in everywhere(cluster)}
    refusals = [
        msgspec.structs.replace(r, object=name) if (name := r.object.rpartition(".")[0]) in services else r
        for r in plan.refusals
    ]
    return msgspec.structs.replace(plan, refusals=tuple(sorted(refusals, key=lambda r: (r.object, r.reason))))


def counted(part: str, total: int) -> int:
    """How many nodes are meant: `2 of 3 nodes lack …`, `port 80/tcp is taken on all 3 nodes …`, `1 is unreachable`."""
    match = re.match(
        r"(?:port \S+ is taken on )?(?:(\d+) of \d+ |(all \d+ nodes|the only node)|(\d+) (?:is|are) )", part
    )
    assert match is not None, part
    return total if match[2] else int(match[1] or match[3])


def is_of(container: Container | Replica, stack: str, service: str) -> bool:
    return (container.slot.stack, container.slot.service) == (stack, service)


def is_refused(plan: Plan, slot: Slot) -> bool:
    return any(refusal.object == str(slot) for refusal in plan.refusals)


def is_stranded(cluster: Cluster, slot: Slot) -> bool:
    """A record of it is on a node of the inventory that cannot be worked with."""
    beyond = {n.name for n in cluster.desired.nodes} - ready_nodes(cluster)
    return any(r.slot == slot and r.node in beyond for r in cluster.desired.replicas)


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
