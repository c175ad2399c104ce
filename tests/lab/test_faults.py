"""What a host that is down or away costs: its own share, and one clear line."""

from __future__ import annotations

import re
import subprocess

import msgspec

from tests.lab.hosts import ORCH, Faults, Operator

TEXT = """
name: shop
services:
  web:
    image: localhost/busybox:{tag}
    command: sleep 1000
    stop_grace_period: 0s
    deploy: {{replicas: {replicas}}}
"""


def text(*, tag: str = "latest", replicas: int = 6) -> str:
    return TEXT.format(tag=tag, replicas=replicas)


def lines_about(host: str, stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith(f"orch: {host}:")]


def test_a_dead_host_takes_no_part_in_a_first_apply(op: Operator, faults: Faults) -> None:
    faults.kill("w3")
    done = op.apply(text())
    assert len(lines_about("w3", done.stderr)) == 1
    # Which of the two depends on whether this machine still remembers the host's hardware address.
    assert re.search(r"no way to 198\.18\.0\.3:22|no answer from 198\.18\.0\.3:22", done.stderr)
    assert "6 of 6 replicas running" in done.stderr
    assert sorted(row["node"] for row in op.ps(status=3).values()) == ["w1"] * 3 + ["w2"] * 3


def test_a_host_that_dies_keeps_its_share_and_holds_up_nobody(op: Operator, faults: Faults) -> None:
    op.apply(text())
    before = op.ps()
    faults.kill("w3")
    done = op.apply(text(tag="2"), status=3)
    assert len(lines_about("w3", done.stderr)) == 1
    assert lines_about("w3", done.stderr)[0].endswith("; 2 replicas there are left as they are")
    after = op.ps(status=3)
    on_w3 = [name for name, row in before.items() if row["node"] == "w3"]
    assert {name: row["state"] for name, row in after.items()} == {
        name: "unknown" if name in on_w3 else "running" for name in before
    }
    assert {row["image"] for name, row in after.items() if name not in on_w3} == {"localhost/busybox:2"}
    assert {name: after[name]["id"] for name in on_w3} == {name: before[name]["id"] for name in on_w3}

    faults.start("w3")
    op.apply(text(tag="2"))
    assert {(row["state"], row["image"]) for row in op.ps().values()} == {("running", "localhost/busybox:2")}
    assert sum(len(op.containers(host)) for host in op.lab.hosts) == 6


def test_a_cut_host_is_left_alone_until_it_is_back(op: Operator, faults: Faults) -> None:
    op.apply(text())
    before = {name: row["id"] for name, row in op.ps().items()}
    faults.cut("w2")
    done = op.orch("rm", "--yes", "shop", "--timeout", "5", status=3)
    assert len(lines_about("w2", done.stderr)) == 1
    assert len(op.containers("w2")) == 2
    assert len(op.containers("w1")) == len(op.containers("w3")) == 0
    faults.heal("w2")
    assert {row["id"] for row in op.ps().values()} < set(before.values())
    op.apply("name: other\nservices: {x: {image: localhost/busybox, command: sleep 1000}}\n")
    assert {row["stack"] for row in op.ps().values()} == {"other"}
    assert len(op.containers("w2")) <= 1


def test_a_host_that_dies_half_way_costs_one_line(op: Operator, faults: Faults) -> None:
    with subprocess.Popen(
        [ORCH, "apply", "-f", op.file(text(replicas=30)), "--timeout", "4"],
        env={**op.env, "PATH": "/usr/bin"},
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        began = ""
        while "on w2" not in began:
            began = running.stderr.readline()
        faults.kill("w2")
        rest = running.stderr.read()
    assert running.returncode == 3
    assert len(lines_about("w2", rest)) == 1
    states = {(row["node"] == "w2", row["state"]) for row in op.ps(status=3).values()}
    assert (False, "running") in states
    assert {state for on_w2, state in states if not on_w2} == {"running"}
    assert {state for on_w2, state in states if on_w2} == {"unknown"}

    faults.start("w2")
    assert "30 of 30 replicas running" in op.apply(text(replicas=30)).stderr


def test_nodes_and_run_tell_the_dead_from_the_living(op: Operator, faults: Faults) -> None:
    faults.kill("w1")
    nodes = {row["name"]: row for row in op.json("nodes", status=3)}
    assert {name: row["state"] for name, row in nodes.items()} == {"w1": "unreachable", "w2": "ready", "w3": "ready"}
    assert nodes["w1"]["capacity"] == {"cpus": None, "memory": None}
    assert nodes["w2"]["capacity"] == {"cpus": 1.0, "memory": 1 << 30}
    done = op.orch("run", "all", "-o", "json", "--", "exit 0", status=3)
    rows = {row["host"]: row for row in msgspec.json.decode(done.stdout)}
    assert {name: row["rc"] for name, row in rows.items()} == {"w1": None, "w2": 0, "w3": 0}
    assert "198.18.0.1:22" in rows["w1"]["error"]
    assert rows["w2"]["error"] is None


def test_a_host_without_podman_is_unsuitable_and_said_to_be(op: Operator) -> None:
    op.lab.inside("w1", "mv", "/usr/bin/podman", "/usr/bin/podman.away")
    try:
        nodes = {row["name"]: row for row in op.json("nodes", status=3)}
        assert nodes["w1"]["state"] == "unsuitable"
        assert nodes["w1"]["podman"] is None
        done = op.apply(text(replicas=2))
        assert len(lines_about("w1", done.stderr)) == 1
        assert "podman is missing" in lines_about("w1", done.stderr)[0]
        assert sorted(row["node"] for row in op.ps().values()) == ["w2", "w3"]
    finally:
        op.lab.inside("w1", "mv", "/usr/bin/podman.away", "/usr/bin/podman")


HALF_MADE = """
name=shop.web.1
for delay in $(seq 10 99) $(seq 10 99); do
    podman create --name $name localhost/busybox:latest true >/dev/null 2>&1 & pid=$!
    sleep 0.0$delay
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ "$(podman ps --all --external --filter "name=^$name\\$" --format '{{.Status}}')" != Storage ] || exit 0
    podman rm --force --ignore $name >/dev/null 2>&1
done
exit 1
"""


def test_what_a_power_cut_left_of_a_start_does_not_hold_the_name(op: Operator) -> None:
    op.lab.inside("w1", "sh", "-c", HALF_MADE)

    assert "1 of 1 replicas running" in op.apply(text(replicas=1)).stderr
