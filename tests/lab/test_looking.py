"""Looking at what there is, and removing it with its volumes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import msgspec
import yaml

from orch.model.volume import Volume
from orch.store.protocol import Changes
from orch.store.tinydb import TinyStore
from tests.lab.hosts import ORCH, Faults, Operator

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


def test_a_power_cut_is_told_as_what_it_is_and_a_dead_host_once(op: Operator, faults: Faults) -> None:
    op.apply("name: shop\nservices: {web: {image: localhost/busybox, command: sleep 1000, deploy: {replicas: 3}}}")
    on_w2 = next(name for name, row in op.ps().items() if row["node"] == "w2")
    assert "w2: power cut; orch lab start --lab" in op.lab.lab("kill", "w2").stderr

    listed = op.orch("--timeout", "2", "ps", status=3)
    assert [line for line in listed.stdout.splitlines() if line.endswith("w2 does not answer")]
    assert listed.stderr.count("w2:") == 1
    for name in ("w2", on_w2, "shop/web"):
        described = op.orch("--timeout", "2", "describe", name)
        assert (described.stdout + described.stderr).count("inventory.yml:") == 1
    assert op.orch("--timeout", "2", "plan", "-f", str(op.folder / "compose.yml"), status=3).stdout == ""

    faults.start("w2")
    row = op.ps(on_w2)[on_w2]
    assert (row["state"], row["reason"]) == ("created", "its host restarted; the next apply starts it again")


def test_a_plan_names_the_keys_that_changed(op: Operator) -> None:
    text = "name: shop\nservices: {web: {image: localhost/busybox, command: sleep 1000, environment: {LEVEL: LOW}}}"
    op.apply(text)
    planned = op.orch("plan", "-f", op.file(text.replace("LOW", "HIGH").replace("1000", "2000")), status=10)
    assert planned.stdout.startswith("change  shop/web: command, environment.LEVEL\n")
    assert op.orch("rm", "--yes", "shop").stderr.endswith("removed shop: 1 container\n")


def test_the_kind_of_an_object_is_guessed_by_its_name(op: Operator) -> None:
    op.apply("name: shop\nservices: {web: {image: localhost/busybox, command: sleep 1000}}")
    for name, first in (("shop", "stack:"), ("shop/web", "service:"), ("shop/web.1", "replica:"), ("w1", "node:")):
        assert op.orch("describe", name).stdout.split()[:2] == [first, name]
    assert "there is no stack or node or volume w9" in op.orch("describe", "w9", status=2).stderr


def test_a_mistyped_host_of_a_push_is_named_with_what_there_is(op: Operator) -> None:
    refused = op.orch("image", "push", "localhost/busybox", "w9", status=4).stderr
    assert "Nor is w9 a host, group or pattern of" in refused
    assert refused.endswith("its hosts: w1, w2, w3\n")
    refused = op.orch("image", "push", "localhost/busybox", "w[7:9]", status=2).stderr
    assert "'w[7:9]' cannot name an image" in refused
    assert refused.endswith("its hosts: w1, w2, w3\n")
    assert "its hosts" not in op.orch("image", "push", "localhost/nope", status=4).stderr


def test_images_that_lie_in_read_only_stores_are_told_of(op: Operator) -> None:
    assert "lie in read-only stores of the nodes" in op.orch("image", "prune", "--dry-run").stderr


def test_jobs_are_listed_where_they_are_asked_for_and_get_no_input(op: Operator) -> None:
    words = ("job", "run", "--image", "localhost/busybox", "--name", "j", "--keep", "--", "true")
    with (op.folder / "compose.yml").open("w+") as given:
        given.write("data")
        given.seek(0)
        done = subprocess.run(
            [ORCH, *words], env={**os.environ, **op.env}, stdin=given, capture_output=True, text=True, check=True
        )
    assert "jobs get no input" in done.stderr
    assert op.ps() == {}
    assert list(op.ps("--all")) == list(op.ps("job-j")) == ["job-j/job.1"]
