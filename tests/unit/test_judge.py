"""Judging one recorded replica: every verdict, and its words."""

from __future__ import annotations

import msgspec
import pytest

from orch.controllers.replica import Keep, Replace, Retire, Stranded, Verdict, judge
from orch.controllers.service import Service, service_of
from orch.model.node import Container, ContainerState, NodeObservation
from orch.model.spec import RestartCondition, RestartPolicy, ServiceSpec
from tests.unit.clusters import answers, container_of, replica_of, shop, silent, web

SPEC = web()
REPLICA = replica_of(SPEC, "w1")
RUNNING = container_of(REPLICA, SPEC)


def service(spec: ServiceSpec) -> Service:
    return service_of(shop(spec), spec)


def verdict(container: Container | None, spec: ServiceSpec = SPEC) -> Verdict:
    """Of a replica made from `spec` on a node that answers."""
    return judge(replica_of(spec, "w1"), service(spec), answers(), container)


def ended(condition: RestartCondition, exit_code: int, *, attempts: int = 0, oom: bool = False) -> Verdict:
    spec = msgspec.structs.replace(SPEC, restart=RestartPolicy(condition, attempts))
    return verdict(container_of(replica_of(spec, "w1"), spec, "exited", exit_code=exit_code, oom=oom), spec)


def test_a_replica_of_a_node_that_left_the_inventory_is_replaced_where_it_is_wanted() -> None:
    assert judge(REPLICA, service(SPEC), None, None) == Replace("w1 has left the inventory")


def test_a_replica_of_a_node_that_left_the_inventory_is_retired_where_it_is_not_wanted() -> None:
    assert judge(REPLICA, None, None, None) == Retire("not wanted, and w1 has left the inventory")


@pytest.mark.parametrize("spec", [SPEC, web("nginx:2"), None], ids=["wanted", "changed", "not wanted"])
@pytest.mark.parametrize("node", [silent(), answers(problem="podman is missing")], ids=["unreachable", "unsuitable"])
def test_on_a_node_that_cannot_be_worked_with_every_replica_is_stranded(
    node: NodeObservation, spec: ServiceSpec | None
) -> None:
    assert judge(REPLICA, service(spec) if spec else None, node, None) == Stranded()


@pytest.mark.parametrize("container", [RUNNING, None], ids=["running", "gone"])
def test_a_replica_that_is_not_wanted_is_retired(container: Container | None) -> None:
    assert judge(REPLICA, None, answers(), container) == Retire("not wanted any more")


def test_a_replica_without_its_container_is_replaced() -> None:
    assert verdict(None) == Replace("its container is gone", failed=True)


def test_a_lost_container_is_the_reason_even_when_the_specification_changed_too() -> None:
    assert judge(REPLICA, service(web("nginx:2")), answers(), None) == Replace("its container is gone", failed=True)


def test_another_image_is_named_with_the_old_one() -> None:
    assert judge(REPLICA, service(web("nginx:2")), answers(), RUNNING) == Replace("image nginx:1 → nginx:2")


def test_any_other_change_of_the_specification_replaces_too() -> None:
    changed = msgspec.structs.replace(SPEC, environment={"DEBUG": "1"})

    assert judge(REPLICA, service(changed), answers(), RUNNING) == Replace("its specification changed")


def test_a_container_made_from_another_specification_is_replaced_whatever_its_record_says() -> None:
    """As after an old copy of the state was put back."""
    older = msgspec.structs.replace(RUNNING, spec_hash="0123456789abcdef")

    assert verdict(older) == Replace("its specification changed")


def test_a_changed_number_of_replicas_changes_no_replica() -> None:
    assert judge(REPLICA, service(web(replicas=9)), answers(), RUNNING) == Keep()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("running", Keep()),
        ("paused", Keep()),
        ("created", Replace("it never started", failed=True)),
        ("removing", Replace("its container is removing", failed=True)),
        ("unknown", Replace("its container is unknown", failed=True)),
    ],
)
def test_the_container_s_state_decides(state: ContainerState, expected: Verdict) -> None:
    assert verdict(container_of(REPLICA, SPEC, state)) == expected


@pytest.mark.parametrize(
    ("condition", "exit_code", "attempts"),
    [("no", 0, 0), ("no", 1, 0), ("on-failure", 0, 0), ("on-failure", 0, 3), ("on-failure", 1, 3)],
)
def test_what_ended_as_its_restart_policy_lets_it_stays_ended(
    condition: RestartCondition, exit_code: int, attempts: int
) -> None:
    assert ended(condition, exit_code, attempts=attempts) == Keep()


@pytest.mark.parametrize(
    ("condition", "exit_code"), [("always", 0), ("always", 1), ("unless-stopped", 0), ("on-failure", 1)]
)
def test_what_must_not_stay_ended_is_replaced(condition: RestartCondition, exit_code: int) -> None:
    assert ended(condition, exit_code) == Replace(f"it exited with {exit_code}", failed=True)


def test_what_ran_before_its_host_was_restarted_has_not_failed() -> None:
    booted = msgspec.structs.replace(RUNNING, state="created", started_at=900.0)

    assert verdict(booted) == Replace("its host restarted")


def test_running_out_of_memory_is_told() -> None:
    assert ended("always", 137, oom=True) == Replace("it exited with 137, out of memory", failed=True)
