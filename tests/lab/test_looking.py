"""Looking at what there is, and removing it with its volumes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import yaml

from orch.model.volume import Volume
from orch.store.protocol import Changes
from orch.store.tinydb import TinyStore
from tests.lab.hosts import Operator

STACK = """
name: shop
services:
  web: {image: localhost/busybox, command: sleep 1000, stop_grace_period: 0s, deploy: {replicas: 2}}
  large: {image: localhost/busybox, deploy: {resources: {reservations: {memory: 9g}}}}
"""


def test_stacks_services_and_single_objects_as_people_and_programs_see_them(op: Operator) -> None:
    op.apply(STACK, status=4)
    counts = {"services": 2, "desired": 3, "running": 2, "ready": 2, "updated": 2, "completed": 0, "leaving": 0}
    assert op.json("stacks") == [{"name": "shop", **counts}]
    large, web = op.json("services")
    assert (large["service"], large["desired"], large["running"]) == ("large", 1, 0)
    assert (web["desired"], web["running"], web["ready"], web["updated"]) == (2, 2, 2, 2)
    assert len(web["endpoints"]) == 2
    assert op.orch("services", "shop").stdout.splitlines()[0].split()[:4] == ["NAME", "MODE", "DESIRED", "RUNNING"]

    replica = op.orch("describe", "replica", "shop/web.1").stdout
    assert re.search(r"^state: +running$", replica, re.MULTILINE)
    assert "addresses:\n  10.88.0." in replica
    assert (
        "cannot start shop/large.1: all 3 nodes lack 9g memory" in op.orch("describe", "service", "shop/large").stdout
    )
    told = op.json("describe", "node", "w1")
    assert [row["name"] for row in told["replicas_there"]] == ["shop/web.1"]
    assert (told["state"], told["capacity"]) == ("ready", {"cpus": 1.0, "memory": 1 << 30})
    assert op.json("describe", "stack", "shop")["services"][1]["running"] == 2
    assert "there is no stack nope" in op.orch("describe", "stack", "nope", status=2).stderr

    stored = yaml.safe_load(op.orch("get", "service", "shop/web").stdout)
    assert (stored["image"], stored["replicas"]) == ("localhost/busybox:latest", 2)
    assert [replica["slot"]["number"] for replica in op.json("get", "replica")] == [1, 2]


def test_volumes_stay_when_their_stack_goes_and_go_when_told_to_but_not_what_somebody_else_made(op: Operator) -> None:
    op.apply(STACK, status=4)
    ours = f"--label orch.cluster=lab-{op.lab.name} --label orch.stack=shop --label orch.volume=data"
    op.lab.inside("w1", "sh", "-c", f"podman volume create {ours} shop_data; podman volume create foreign")
    records = tuple(Volume(name, "w1", "shop") for name in ("foreign", "shop_data"))
    TinyStore(Path(op.env["ORCH_STATE"]), f"lab-{op.lab.name}").commit(Changes(put=records))

    op.orch("rm", "--yes", "shop")
    assert op.lab.inside("w1", "podman", "volume", "ls", "-q").split() == ["foreign", "shop_data"]
    assert [volume["name"] for volume in op.json("get", "volume")] == ["foreign", "shop_data"]

    done = op.orch("rm", "--yes", "--volumes", "shop", status=3)
    assert "removed volume shop_data on w1\n" in done.stderr
    assert "orch: w1: volume foreign was not made by orch and stays" in done.stderr
    assert op.lab.inside("w1", "podman", "volume", "ls", "-q").split() == ["foreign"]
    assert [volume["name"] for volume in op.json("get", "volume")] == ["foreign"]

    op.lab.inside("w1", "podman", "volume", "rm", "foreign")
    op.orch("rm", "--yes", "--volumes", "shop")
    assert op.json("get", "volume") == []
    assert msgspec.json.decode(op.orch("stacks", "-o", "json").stdout) == []
