"""What `describe`, `get`, `services` and `stacks` know of objects."""

from __future__ import annotations

import msgspec
import pytest

from orch.controllers.cluster import plan_cluster
from orch.controllers.describe import (
    Seen,
    describe_node,
    describe_replica,
    describe_service,
    describe_stack,
    describe_volume,
)
from orch.controllers.services import ServiceStatus, StackStatus, service_statuses, stack_statuses
from orch.controllers.stored import HIDDEN, stored_objects
from orch.model.container import FileMount, Port, TmpfsMount, VolumeMount
from orch.model.node import NodeObservation
from orch.model.plan import Desired
from orch.model.replica import Slot
from orch.model.resources import Resources
from orch.model.spec import StackSpec
from orch.model.volume import FileSpec, Volume, VolumeSpec
from tests.unit.clusters import CLUSTER, GIB, answers, container_of, node, replica_of, silent, web

SECRET, CONFIG = FileSpec("secret", "token", b"hush"), FileSpec("config", "motd", b"welcome")
WEB = msgspec.structs.replace(
    web(replicas=3),
    mounts=(VolumeMount("/data", "shop_data"),),
    ports=(Port(80, 8080, mode="host"),),
    files=(FileMount("token", "/run/secrets/token", SECRET.digest), FileMount("motd", "/etc/motd", CONFIG.digest)),
)
OLD = msgspec.structs.replace(WEB, image="nginx:0")
LARGE = msgspec.structs.replace(web("db:1", request=Resources(0, 9 * GIB)), name="db")
SHOP = StackSpec("shop", (LARGE, WEB), (VolumeSpec("data", "shop_data"),), (CONFIG, SECRET))
FIRST, SECOND = replica_of(WEB, "w1"), replica_of(OLD, "w2", number=2)
UNHEALTHY = msgspec.structs.replace(container_of(SECOND, OLD), health="unhealthy", restarts=2, exit_code=1)


def seen(**more: NodeObservation) -> Seen:
    """web.1 runs as wanted on w1; web.2, out of date and unhealthy, on w2; web.3 is not started; db fits nowhere."""
    observed = {"w1": answers(container_of(FIRST, WEB)), "w2": answers(UNHEALTHY), **more}
    desired = Desired(
        CLUSTER,
        tuple(node(name) for name in observed),
        (SHOP,),
        (FIRST, SECOND),
        (Volume("shop_data", "w1", "shop"),),
    )
    return Seen(desired, observed, plan_cluster(desired, observed, now=0.0))


def test_a_service_is_counted_by_what_runs_what_is_ready_and_what_is_up_to_date() -> None:
    at = seen()

    _, found = service_statuses(at.desired, at.observed)

    assert found == ServiceStatus(
        "shop", "web", "replicated", 3, 2, 1, 1, None, ("8080:80/tcp",), ("10.88.0.7",), "nginx:1"
    )


def test_the_keys_that_programs_rely_on_are_there() -> None:
    at = seen()

    assert list(msgspec.to_builtins(service_statuses(at.desired, at.observed)[0]))[:10] == [
        "stack", "service", "mode", "desired", "running", "ready", "updated", "vip", "ports", "endpoints",
    ]  # fmt: skip


def test_a_stack_is_the_sum_of_its_services_and_one_on_its_way_out_is_listed_while_it_has_replicas() -> None:
    at = seen()
    left = msgspec.structs.replace(at.desired, stacks=())

    assert stack_statuses(at.desired, at.observed) == [StackStatus("shop", 2, 4, 2, 1, updated=1)]
    assert stack_statuses(left, at.observed) == [StackStatus("shop", leaving=2)]


def test_a_stack_is_described_without_what_is_in_its_secrets() -> None:
    found = describe_stack(seen(), "shop")

    assert found is not None
    assert [(s["service"], s["running"]) for s in found["services"]] == [("db", 0), ("web", 2)]
    assert found["volumes"] == [{"volume": "shop_data", "node": "w1", "external": False}]
    assert (found["configs"], found["secrets"]) == (["motd"], ["token"])
    assert "hush" not in str(found)
    assert SECRET.digest not in str(found)


def test_a_service_is_described_with_what_a_plan_would_do_and_refuse() -> None:
    at = seen()
    of_web, of_db = describe_service(at, "shop", "web"), describe_service(at, "shop", "db")

    assert of_web is not None
    assert of_db is not None
    assert [r["why"] for r in of_web["replicas"]][:2] == ["", "its healthcheck fails"]
    assert of_web["replicas"][2]["why"].startswith("it fits nowhere: port 8080/tcp is taken on 1 of 2 nodes")
    assert "remove shop/web.2 on w2: image nginx:0 → nginx:1" in of_web["next"]
    assert len(of_db["next"]) == 1
    assert of_db["next"][0].startswith("cannot start shop/db.1: all 2 nodes lack 9g memory")
    assert of_web["mounts"] == ["volume shop_data at /data"]


def test_a_replica_is_described_with_its_last_exit_and_what_comes_next() -> None:
    found = describe_replica(seen(), Slot("shop", "web", 2))

    assert found is not None
    assert {key: found[key] for key in ("node", "state", "ready", "health", "restarts", "last_exit", "up_to_date")} == {
        "node": "w2",
        "state": "running",
        "ready": False,
        "health": "unhealthy",
        "restarts": 2,
        "last_exit": None,
        "up_to_date": False,
    }
    assert [line.partition(":")[0] for line in found["next"]] == ["remove shop/web.2 on w2", "start shop/web.2 on w1"]


def test_a_replica_that_was_never_started_is_described_by_why() -> None:
    found = describe_replica(seen(), Slot("shop", "db", 1))

    assert found is not None
    assert (found["state"], found["node"]) == ("pending", None)
    assert len(found["next"]) == 1
    assert found["next"][0].startswith("cannot start shop/db.1: all 2 nodes lack 9g memory")


def test_a_node_is_described_with_what_is_there_and_why_it_is_as_it_is() -> None:
    away = describe_node(seen(w2=silent("no route")), "w2")
    ready = describe_node(seen(), "w1")

    assert away is not None
    assert ready is not None
    assert (away["state"], away["why"]) == ("unreachable", "no route")
    assert away["next"] == ["1 replica there is left as it is"]
    assert [r["why"] for r in away["replicas_there"]] == ["w2 does not answer"]
    assert [r["name"] for r in ready["replicas_there"]] == ["shop/web.1"]
    assert ready["volumes"] == ["shop_data"]


@pytest.mark.parametrize(
    ("observed", "why"),
    [
        ({}, "its data is there, so its replicas are"),
        ({"w1": silent("no route")}, "its data is there, and its node cannot be used: no route"),
    ],
)
def test_a_volume_is_described_with_its_node_and_its_users(observed: dict[str, NodeObservation], why: str) -> None:
    found = describe_volume(seen(**observed), "shop_data")

    assert found is not None
    assert (found["node"], found["stack"], found["used_by"], found["why"]) == ("w1", "shop", ["shop/web"], why)


def test_what_does_not_exist_is_not_described() -> None:
    at = seen()

    assert describe_stack(at, "x") is None
    assert describe_service(at, "shop", "x") is None
    assert describe_replica(at, Slot("shop", "web", 9)) is None
    assert describe_node(at, "x") is None
    assert describe_volume(at, "x") is None


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("stack", ["shop"]),
        ("service", ["shop/db", "shop/web"]),
        ("replica", ["shop/web.1", "shop/web.2"]),
        ("node", ["w1", "w2"]),
        ("volume", ["shop_data"]),
    ],
)
def test_stored_objects_go_by_the_names_that_people_use(kind: str, names: list[str]) -> None:
    assert list(stored_objects(seen().desired, kind)) == names


def test_what_is_in_secrets_and_their_hash_are_hidden_and_configs_are_shown() -> None:
    found = stored_objects(seen().desired, "stack")["shop"]

    assert found["files"] == [
        {"kind": "config", "key": "motd", "content": "welcome"},
        {"kind": "secret", "key": "token", "content": HIDDEN},
    ]
    mounts = found["services"][1]["files"]
    assert [mount["digest"] for mount in mounts] == [HIDDEN, CONFIG.digest]
    assert stored_objects(seen().desired, "service")["shop/web"]["files"] == mounts


def test_a_config_that_is_no_text_is_shown_in_base64() -> None:
    desired = msgspec.structs.replace(
        seen().desired, stacks=(msgspec.structs.replace(SHOP, files=(FileSpec("config", "k", b"\xff"),)),)
    )

    assert stored_objects(desired, "stack")["shop"]["files"] == [{"kind": "config", "key": "k", "base64": "/w=="}]


def test_what_is_stored_is_shown_without_defaults_and_with_modes_as_people_write_them() -> None:
    mounts = (TmpfsMount("/t", mode=0o700), VolumeMount("/data", "shop_data"))
    files = (FileMount("motd", "/etc/motd", CONFIG.digest, mode=0o440),)
    spec = msgspec.structs.replace(web(), mounts=mounts, files=files)
    desired = Desired(CLUSTER, (node("w1"),), (StackSpec("shop", (spec,), files=(CONFIG,)),))

    assert stored_objects(desired, "service")["shop/web"] == {
        "name": "web",
        "image": "nginx:1",
        "request": {"millicpus": 100, "memory": 64 << 20},
        "restart": {"condition": "always"},
        "mounts": [
            {"type": "tmpfs", "target": "/t", "mode": "0700"},
            {"type": "volume", "target": "/data", "volume": "shop_data"},
        ],
        "files": [{"source": "motd", "target": "/etc/motd", "digest": CONFIG.digest, "mode": "0440"}],
    }
    assert stored_objects(desired, "node")["w1"] == {"name": "w1", "address": "w1.example"}
