"""What is wrong with a stack or a node: one clear error that names it, and nothing that the next apply cannot mend."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from orch.model.container import ContainerOptions, FileMount, Port
from orch.model.spec import ServiceSpec
from orch.model.volume import FileSpec
from tests.lab.direct import direct
from tests.lab.hosts import Operator

STACK = """
name: shop
services:
  web: {{image: {image}, command: sleep 1000, stop_grace_period: 0s, deploy: {{replicas: {replicas}}}}}
"""
SLEEP = ("sleep", "1000")
WRAPPER = "/usr/local/bin/podman"


def stack(*, image: str = "localhost/busybox", replicas: int = 3) -> str:
    return STACK.format(image=image, replicas=replicas)


@contextmanager
def wrapped(op: Operator, host: str, script: str) -> Iterator[None]:
    """Shell text that a host runs before its podman, and that may do without it."""
    text = f'#!/bin/sh\n{script}\nexec /usr/bin/podman "$@"\n'
    op.lab.inside(host, "sh", "-c", 'printf %s "$1" >"$2"; chmod 755 "$2"', "sh", text, WRAPPER)
    try:
        yield
    finally:
        op.lab.inside(host, "rm", WRAPPER)


def test_podman_that_is_too_old_is_named_with_the_version_needed(op: Operator) -> None:
    with wrapped(op, "w1", '[ "$1" != --version ] || { echo podman version 3.4.4; exit; }'):
        done = op.apply(stack())
        assert done.stderr.count("orch: w1:") == 1
        assert "orch: w1: podman 3.4.4 is too old, 4.0 is needed; `orch doctor` knows" in done.stderr
        assert {row["node"] for row in op.ps().values()} == {"w2", "w3"}
        assert "4.0" in op.orch("doctor", "w1", status=None).stdout


def test_an_image_that_is_nowhere_is_told_of_with_ways_to_bring_it(op: Operator) -> None:
    done = op.apply(stack(image="localhost/nope", replicas=1), status=1)
    assert re.search(
        r"^orch: w\d: shop/web\.1: podman: .*; w\d does not have localhost/nope:latest, .*"
        r"`orch image push localhost/nope:latest` brings it there$",
        done.stderr,
        re.MULTILINE,
    )
    assert "retrying" not in done.stderr
    assert "3 of 3 replicas running" in op.apply(stack()).stderr


def test_no_more_than_four_podman_commands_run_on_a_node_at_a_time(op: Operator) -> None:
    count = (
        "case $1 in run | rm) mkdir -p /tmp/now; touch /tmp/now/$$; ls /tmp/now | wc -l >>/tmp/at-once; "
        '/usr/bin/podman "$@"; status=$?; rm /tmp/now/$$; exit $status; esac'
    )
    with wrapped(op, "w1", count):
        op.apply(stack(replicas=24))
        op.orch("rm", "--yes", "shop")
    counts = [int(line) for line in op.lab.inside("w1", "cat", "/tmp/at-once").split()]
    op.lab.inside("w1", "rm", "-r", "/tmp/now", "/tmp/at-once")
    assert len(counts) == 16
    assert max(counts) == 4


async def test_a_podman_that_hangs_is_ended_and_named_and_delays_no_other_node(op: Operator) -> None:
    slow, quick = (ServiceSpec(name, "localhost/busybox:latest", command=SLEEP) for name in ("slow", "quick"))
    with wrapped(op, "w1", "case $1 in run) kill -STOP $$; esac"):
        async with direct(op, run_seconds=6) as at:
            first, second = await at.do(at.start(slow, "w1"), at.start(quick, "w2"))
    assert (second.action.replica.node, first.action.replica.node) == ("w1", "w2")
    assert first.error == ""
    assert second.error.startswith("podman: podman on w1 did not end within 6 s and was ended; ")
    assert not second.lost


async def test_a_port_that_another_has_is_told_of_with_the_way_to_find_out(op: Operator) -> None:
    ports = (Port(80, 18080, mode="host"),)
    specs = [ServiceSpec(name, "localhost/busybox:latest", command=SLEEP, ports=ports) for name in ("a", "b")]
    async with direct(op) as at:
        errors = [(await at.do(at.start(spec, "w1")))[0].error for spec in specs]
    assert errors[0] == ""
    assert "another process of w1 has that port: `orch run w1 -- ss -lntup` shows which" in errors[1]


async def test_a_disk_that_is_full_is_told_of_with_its_node(op: Operator) -> None:
    large = FileSpec("config", "large", b"x" * 300_000)
    files = (FileMount("large", "/large", large.digest),)
    with_file = ServiceSpec("file", "localhost/busybox:latest", command=SLEEP, files=files)
    plain = ServiceSpec("plain", "localhost/busybox:latest", command=SLEEP)
    tiny = "mkdir -p {0}; mount -t tmpfs -o size={1} tmpfs {0}; "
    fill = "dd if=/dev/zero of=/var/lib/containers/fill bs=4k 2>/dev/null; true"
    op.lab.inside("w1", "sh", "-c", tiny.format("/var/lib/orch", "64k"))
    op.lab.inside("w2", "sh", "-c", tiny.format("/var/lib/containers", "512k") + fill)
    try:
        async with direct(op) as at:
            runs = [at.start(with_file, "w1", files=(large,)), at.start(plain, "w2")]
            errors = {o.action.replica.node: o.error for o in await at.do(*runs)}
    finally:
        op.lab.inside("w1", "umount", "/var/lib/orch")
        op.lab.inside("w2", "umount", "-l", "/var/lib/containers")
    assert errors["w1"].startswith("its configs and secrets cannot be written: ")
    for node, error in errors.items():
        assert f"the disk of {node} is full: `orch image prune`" in error
        assert f"`orch run {node} -- df -h`" in error


async def test_an_option_that_podman_lacks_is_an_error_of_its_replica_alone(op: Operator) -> None:
    old = ServiceSpec(
        "old",
        "localhost/busybox:latest",
        command=SLEEP,
        options=ContainerOptions(extra_hosts=(("docker", "host-gateway"),)),
    )
    fine = ServiceSpec("fine", "localhost/busybox:latest", command=SLEEP)
    async with direct(op) as at:
        errors = {
            o.action.replica.slot.service: o.error for o in await at.do(at.start(old, "w1"), at.start(fine, "w1"))
        }
    assert errors["fine"] == ""
    assert "podman on w1 is too old for that" in errors["old"]
