"""The whole thread on real hosts: apply, look, change, scale, remove."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hosts import ORCH, Operator, TestLab, heed_interrupts

EXAMPLE = Path(__file__).parents[2] / "examples/hello/compose.yml"

SLEEPERS = """
name: shop
services:
  web:
    image: localhost/busybox:{web_image}
    command: sleep 1000
    stop_grace_period: 0s
    environment: {{MODE: {mode}}}
    deploy: {{replicas: {replicas}}}
  db:
    image: localhost/redis:latest
    stop_grace_period: 0s
    deploy: {{replicas: 2}}
"""


def sleepers(*, web_image: str = "latest", mode: str = "plain", replicas: int = 3) -> str:
    return SLEEPERS.format(web_image=web_image, mode=mode, replicas=replicas)


def ids(op: Operator) -> dict[str, str]:
    """Slot → id of the replica in it."""
    return {name: row["id"] for name, row in op.ps().items()}


def test_an_example_stack_serves_from_all_nodes(op: Operator) -> None:
    op.orch("apply", "-f", str(EXAMPLE))
    replicas = op.ps()
    assert sorted(replicas) == [f"hello/{s}.{n}" for s in ("cache", "web") for n in (1, 2, 3)]
    assert {row["node"] for row in replicas.values()} == {"w1", "w2", "w3"}
    for name, row in replicas.items():
        address = row["addresses"][0]
        if row["service"] == "web":
            page = f"http://{address}:8080/"
            asked = f"for i in $(seq 50); do busybox wget -qO- {page} 2>/dev/null && exit; sleep 0.1; done"
            assert op.orch("run", row["node"], "--", asked).stdout == f"{row['node']} | Hello from web-{row['slot']}\n"
        else:
            asked = f"for i in $(seq 50); do redis-cli -h {address} ping 2>/dev/null && exit; sleep 0.1; done"
            assert op.orch("run", row["node"], "--", asked).stdout == f"{row['node']} | PONG\n", name


def test_a_second_apply_changes_nothing(op: Operator) -> None:
    op.apply(sleepers())
    before = ids(op)
    containers = {host: sorted(c["Id"] for c in op.containers(host).values()) for host in op.lab.hosts}
    assert op.apply(sleepers()).stderr == "5 of 5 replicas running, nothing to change\n"
    assert ids(op) == before
    assert {host: sorted(c["Id"] for c in op.containers(host).values()) for host in op.lab.hosts} == containers
    assert op.json("plan", "-f", op.file(sleepers())) == {"actions": [], "refusals": [], "changes": []}


@pytest.mark.parametrize("change", [{"web_image": "2"}, {"mode": "fancy"}])
def test_a_changed_service_is_replaced_and_no_other(op: Operator, change: dict[str, Any]) -> None:
    op.apply(sleepers())
    before = ids(op)
    plan = op.json("plan", "-f", op.file(sleepers(**change)), status=10)
    assert {action["object"] for action in plan["actions"]} == {"shop/web.1", "shop/web.2", "shop/web.3"}
    op.apply(sleepers(**change))
    after = op.ps()
    assert {name for name, row in after.items() if row["id"] != before[name]} == {
        "shop/web.1",
        "shop/web.2",
        "shop/web.3",
    }
    image = f"localhost/busybox:{change.get('web_image', 'latest')}"
    assert {row["image"] for row in after.values() if row["service"] == "web"} == {image}
    running = [name for host in op.lab.hosts for name in op.containers(host)]
    assert len(running) == 5
    mode = change.get("mode", "plain")
    web = after["shop/web.1"]
    printed = op.orch(
        "run", web["node"], "--", f"podman exec $(podman ps -q -f label=orch.replica={web['id']}) env"
    ).stdout
    assert f"MODE={mode}\n" in printed


def test_a_container_removed_behind_our_back_is_made_again(op: Operator) -> None:
    op.apply(sleepers())
    before = op.ps()
    victim = before["shop/web.2"]
    op.lab.inside(victim["node"], "sh", "-c", f"podman rm -f -t0 $(podman ps -q -f label=orch.replica={victim['id']})")
    assert op.ps()["shop/web.2"]["state"] == "missing"
    done = op.apply(sleepers())
    assert "started shop/web.2" in done.stderr
    after = op.ps()
    assert after["shop/web.2"]["state"] == "running"
    assert [name for name in after if after[name]["id"] != before[name]["id"]] == ["shop/web.2"]


def test_foreign_containers_are_never_touched(op: Operator) -> None:
    host = op.lab.hosts[0]
    run = ("podman", "run", "--detach")
    plain = op.lab.inside(host, *run, "--name", "plain", "localhost/busybox:latest", "sleep", "1000").strip()
    # All that a replica of ours has, but for the cluster.
    ours = {"stack": "shop", "service": "web", "slot": "9", "attempt": "1", "replica": "x", "spec": "y"}
    labels = [w for k, v in {"cluster": "another", **ours}.items() for w in ("--label", f"orch.{k}={v}")]
    other = op.lab.inside(host, *run, *labels, "--name", "other", "localhost/busybox:latest", "sleep", "1000").strip()
    op.apply(sleepers())
    assert host in {row["node"] for row in op.ps().values()}
    op.apply(sleepers(mode="fancy"))
    op.orch("rm", "--yes", "shop")
    left = op.containers(host)
    assert {name: (c["Id"], c["State"]) for name, c in left.items()} == {
        "plain": (plain, "running"),
        "other": (other, "running"),
    }


def test_what_fits_nowhere_is_refused_with_the_reason_and_the_rest_runs(op: Operator) -> None:
    text = """
name: shop
services:
  small: {image: localhost/busybox, command: sleep 1000, deploy: {replicas: 2}}
  large:
    image: localhost/busybox
    command: sleep 1000
    deploy: {replicas: 5, resources: {reservations: {memory: 600m}}}
"""
    done = op.apply(text, status=4)
    assert (
        "orch: shop/large.4 and 1 more: all 3 nodes lack 600m memory (most free: w1 424m)\n"
        "5 of 7 replicas running, 5 changes\n"
    ) in done.stderr
    states = {name: row["state"] for name, row in op.ps().items()}
    assert sorted(name for name, state in states.items() if state == "pending") == ["shop/large.4", "shop/large.5"]
    assert {row["name"]: row["requested"]["memory"] for row in op.json("nodes")} == dict.fromkeys(
        ("w1", "w2", "w3"), 600 << 20
    )
    assert op.json("plan", "-f", op.file(text), status=4)["refusals"][0] == {
        "object": "shop/large.4",
        "reason": "all 3 nodes lack 600m memory (most free: w1 424m)",
    }


def test_scale_and_rm(op: Operator) -> None:
    op.apply(sleepers())
    before = ids(op)
    op.orch("scale", "shop/web=1", "shop/db=3")
    after = ids(op)
    assert sorted(after) == ["shop/db.1", "shop/db.2", "shop/db.3", "shop/web.1"]
    assert {name: before[name] for name in after if name in before} == {n: after[n] for n in after if n in before}
    assert "there is no stack nope" in op.orch("rm", "--yes", "nope", status=4).stderr
    assert "add --yes" in op.orch("rm", "shop", status=2).stderr
    assert len(ids(op)) == 4
    op.orch("rm", "--yes", "shop")
    assert op.ps() == {}
    assert [name for host in op.lab.hosts for name in op.containers(host)] == []


def test_services_missing_from_the_file_stay_until_pruned(op: Operator) -> None:
    op.apply(sleepers())
    only_db = "name: shop\nservices: {db: {image: localhost/redis, stop_grace_period: 0s, deploy: {replicas: 2}}}\n"
    assert "shop/web is not in the file and stays" in op.apply(only_db).stderr
    assert len(op.ps()) == 5
    op.apply(only_db, "--prune")
    assert sorted(op.ps()) == ["shop/db.1", "shop/db.2"]


def test_podmans_own_words_reach_the_user(op: Operator) -> None:
    text = "name: shop\nservices: {bad: {image: localhost/busybox, command: /no/such/program}}\n"
    done = op.apply(text, status=1)
    assert re.search(r"^orch: w1: shop/bad\.1: podman: .*no such file or directory", done.stderr, re.MULTILINE)
    assert done.stderr.endswith("0 of 1 replicas running, 0 changes, 1 failed\n")
    assert op.ps()["shop/bad.1"]["state"] == "created"
    assert "removed shop/bad.1" in op.apply(text, status=3).stderr
    fixed = text.replace("/no/such/program", "sleep 1000")
    op.apply(fixed)
    assert op.ps()["shop/bad.1"]["state"] == "running"
    assert sum(len(op.containers(host)) for host in op.lab.hosts) == 1


def test_one_that_ends_badly_is_told_of(op: Operator) -> None:
    text = "name: shop\nservices: {once: {image: localhost/busybox, command: sh -c 'exit 5'}}\n"
    op.apply(text, status=1)
    done = op.apply(text, status=1)
    assert re.search(r"^orch: shop/once\.1 on w\d: it exited with 5$", done.stderr, re.MULTILINE)
    assert re.search(r"shop/once\.1: exited with 5 on w\d", op.apply(text, "--no-wait", status=1).stderr)
    assert op.ps()["shop/once.1"]["reason"] == "exited with 5"


def test_the_restart_policy_is_podmans(op: Operator) -> None:
    text = "name: shop\nservices: {web: {image: localhost/busybox, command: sleep 1000, restart: always}}\n"
    op.apply(text)
    row = op.ps()["shop/web.1"]
    kill = (
        f"podman ps -q -f label=orch.replica={row['id']} | xargs podman inspect -f '{{{{.State.Pid}}}}' | xargs kill -9"
    )
    op.orch("run", row["node"], "--", kill)
    restarted = "until podman inspect -f '{{.RestartCount}}' $(podman ps -aq) | grep -qx 1; do sleep 0.1; done"
    op.orch("run", row["node"], "--", f"timeout 20 sh -c '{restarted}'")
    after = op.ps()["shop/web.1"]
    assert (after["id"], after["restarts"]) == (row["id"], 1)


def test_limits_and_labels_are_on_the_container(op: Operator) -> None:
    text = """
name: shop
services:
  web:
    image: localhost/busybox
    command: sleep 1000
    environment: ["EMPTY=", "QUOTED=it's \\"so\\" $$HOME", "LINES=one\\ntwo"]
    deploy: {resources: {limits: {cpus: "0.25", memory: 64m}, reservations: {cpus: "0.1", memory: 32m}}}
"""
    op.apply(text)
    row = op.ps()["shop/web.1"]
    container = f"$(podman ps -q -f label=orch.replica={row['id']})"
    fields = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} "
    fields += "{{.HostConfig.MemoryReservation}} {{.Config.Hostname}}"
    assert (
        op.orch("run", "w1", "--", f"podman inspect -f '{fields}' {container}").stdout
        == "w1 | 67108864 250000000 102 33554432 web-1\n"
    )
    environment = op.orch("run", "w1", "--", f"podman exec {container} env").stdout.replace("w1 | ", "")
    for line in ("EMPTY=", 'QUOTED=it\'s "so" $HOME', "LINES=one\ntwo"):
        assert f"{line}\n" in environment
    assert "GOGC" not in environment  # That one is podman's own.
    labels = op.containers("w1")["shop.web.1"]["Labels"]
    assert {k: v for k, v in labels.items() if k.startswith("orch.")} == {
        "orch.cluster": f"lab-{op.lab.name}",
        "orch.stack": "shop",
        "orch.service": "web",
        "orch.slot": "1",
        "orch.attempt": "1",
        "orch.replica": row["id"],
        "orch.spec": labels["orch.spec"],
    }


def test_two_at_once_do_not_both_change_things(op: Operator) -> None:
    slow = "name: shop\nservices: {web: {image: localhost/busybox, command: sleep 1000, deploy: {replicas: 12}}}\n"
    argv = [ORCH, "apply", "-f", op.file(slow)]
    with subprocess.Popen(argv, env={**op.env, "PATH": "/usr/bin"}, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        assert first.stderr.readline().startswith("started")
        refused = op.orch("apply", "-f", op.file(slow), status=1)
        assert refused.stderr.endswith(f"in use by process {first.pid}; wait for it or end it\n")
        # Looking is always allowed.
        assert len(op.ps()) == 12
        first.stderr.read()
    assert first.returncode == 0


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_an_apply_broken_off_is_finished_by_the_next(op: Operator, blow: signal.Signals) -> None:
    text = "name: half\nservices: {web: {image: localhost/busybox, command: sleep 1000, deploy: {replicas: 24}}}\n"
    with subprocess.Popen(
        [ORCH, "apply", "-f", op.file(text)],
        env={**op.env, "PATH": "/usr/bin"},
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    ) as broken:
        assert broken.stderr is not None
        broken.stderr.readline()
        broken.send_signal(blow)
        broken.stderr.read()
    assert broken.returncode == (130 if blow == signal.SIGINT else -signal.SIGKILL)
    # Half-way: hosts work on twelve at once. What was begun is on record, and so is what was not yet.
    states = {row["state"] for row in op.ps().values()}
    assert {"running", "missing"} <= states <= {"running", "starting", "created", "missing"}
    op.apply(text)
    assert {row["state"] for row in op.ps().values()} == {"running"}
    assert sum(len(op.containers(host)) for host in op.lab.hosts) == 24
    assert op.apply(text).stderr.endswith("nothing to change\n")


def test_secrets_of_the_environment_stay_off_command_lines(op: Operator) -> None:
    secret = "hunter2-secret"
    text = (
        "name: shop\nservices: {web: {image: localhost/busybox, command: sleep 1000, deploy: {replicas: 6},"
        f' environment: {{PASSWORD: {secret}, KEY: "a\\n{secret}"}}}}}}\n'
    )
    plan = op.orch("apply", "-f", op.file(text), "--dry-run", "-v", status=10)
    assert "--env-file /dev/stdin" in plan.stdout
    assert secret not in plan.stdout + plan.stderr
    # The brackets keep the search from finding itself.
    watch = "until [ -e /tmp/stop ]; do cat /proc/[0-9]*/cmdline; done 2>/dev/null | grep -ac 'hunter2[-]secret'"
    with subprocess.Popen(
        [ORCH, "lab", "exec", "--lab", op.lab.name, "w1", "--", "sh", "-c", watch], stdout=subprocess.PIPE
    ) as spy:
        applied = op.orch("apply", "-f", op.file(text), "-v")
        op.lab.inside("w1", "touch", "/tmp/stop")
        seen, _ = spy.communicate()
    op.lab.inside("w1", "rm", "/tmp/stop")
    assert seen == b"0\n"
    assert secret not in applied.stdout + applied.stderr
    kept = [*(op.folder / "state").iterdir()]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert (op.folder / "state").stat().st_mode & 0o777 == 0o700
    assert secret.encode() in b"".join(path.read_bytes() for path in kept)


def test_a_lost_state_is_found_again_on_the_nodes(op: Operator, shared_lab: TestLab) -> None:
    op.apply(sleepers())
    before = ids(op)
    shutil.rmtree(op.folder / "state")
    assert "adopted shop/web.1" in op.apply(sleepers()).stderr
    assert ids(op) == before
    assert op.apply(sleepers()).stderr.endswith("nothing to change\n")
