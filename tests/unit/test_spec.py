"""What names a specification, a slot and a replica."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orch.model.replica import Replica, Slot, replica_id
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec

SPEC = ServiceSpec("web", "nginx:1", environment={"A": "1", "B": "2"})
SLOT = Slot("shop", "web", 3)


def changed(**fields: Any) -> ServiceSpec:
    return msgspec.structs.replace(SPEC, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "api"},
        {"image": "nginx:2"},
        {"command": ("nginx", "-t")},
        {"command": ()},
        {"entrypoint": ("/bin/sh",)},
        {"environment": {"A": "1", "B": "3"}},
        {"environment": {"A": "1"}},
        {"environment": {"A": "1", "B": "2", "C": ""}},
        {"request": Resources(100, 0)},
        {"limit": Resources(0, 1 << 20)},
        {"restart": RestartPolicy("always")},
        {"restart": RestartPolicy("no", 2)},
        {"stop_grace": 11},
    ],
    ids=str,
)
def test_the_hash_changes_with_all_that_a_replica_is_made_from(fields: dict[str, Any]) -> None:
    assert changed(**fields).hash != SPEC.hash


@pytest.mark.parametrize("fields", [{"replicas": 7}, {"environment": {"B": "2", "A": "1"}}], ids=str)
def test_the_hash_stays_with_what_changes_no_replica(fields: dict[str, Any]) -> None:
    assert changed(**fields).hash == SPEC.hash


def test_command_and_entrypoint_are_not_taken_for_each_other() -> None:
    assert changed(command=("sh",)).hash != changed(entrypoint=("sh",)).hash


def test_request_and_limit_are_not_taken_for_each_other() -> None:
    assert changed(request=Resources(100, 5)).hash != changed(limit=Resources(100, 5)).hash


def test_the_hash_never_changes_between_versions() -> None:
    """Another one would replace every container of every user on upgrade."""
    assert SPEC.hash == "085fe2336ec6ffa2"
    assert ServiceSpec("web", "nginx:1").hash == "5ffe673b2129be59"


def test_defaults_that_are_written_out_change_no_hash() -> None:
    told = ServiceSpec(
        "web", "nginx:1", request=Resources(), limit=Resources(0, 0), restart=RestartPolicy(), environment={}
    )
    assert told.hash == ServiceSpec("web", "nginx:1").hash


def test_a_specification_read_back_from_json_has_its_hash() -> None:
    assert msgspec.json.decode(msgspec.json.encode(SPEC), type=ServiceSpec).hash == SPEC.hash


def test_a_stack_finds_its_services_by_name() -> None:
    stack = StackSpec("shop", (ServiceSpec("api", "api:1"), SPEC))

    assert stack.service("web") == SPEC
    assert stack.service("db") is None


def test_a_slot_is_written_with_stack_service_and_number() -> None:
    assert str(SLOT) == "shop/web.3"


def test_slots_are_sorted_by_number_and_not_by_text() -> None:
    slots = [Slot("shop", "web", 10), Slot("shop", "web", 9), Slot("shop", "api", 11), Slot("blog", "web", 12)]

    assert [str(slot) for slot in sorted(slots)] == ["blog/web.12", "shop/api.11", "shop/web.9", "shop/web.10"]


def test_a_replica_s_id_never_changes_between_versions() -> None:
    assert replica_id("prod", SLOT, 1) == "j547jz6s56uw"


def test_the_id_differs_with_cluster_slot_and_attempt() -> None:
    ids = [
        replica_id("prod", SLOT, 1),
        replica_id("prod", SLOT, 2),
        replica_id("test", SLOT, 1),
        replica_id("prod", Slot("shop", "web", 31), 1),
        replica_id("prod", Slot("shop", "api", 3), 1),
        replica_id("prod", Slot("blog", "web", 3), 1),
    ]

    assert len(set(ids)) == len(ids)


def test_a_container_is_named_after_its_slot_so_that_podman_takes_no_second_one() -> None:
    assert Replica("abcdefghijkl", SLOT, 1, "w1", "0123456789abcdef").container == "shop.web.3"
