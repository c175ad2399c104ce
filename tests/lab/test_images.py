"""`orch image`: images reach the nodes that lack them, whatever becomes of some of them on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orch.inventory.fleet import read_fleet
from orch.master.images import Cargo, Push, local_link
from orch.remote.pool import Pool
from tests.lab.hosts import ORCH, Faults, Operator, heed_interrupts, orch
from tests.lab.masters import Podman

BIG = 24 << 20
"""Bytes of an image whose sending takes long enough to be met by a fault."""

LEFT = "ls -d /var/tmp/* 2>/dev/null; pgrep podman; true"


@pytest.fixture(autouse=True)
def nothing_in_the_way(op: Operator) -> None:
    """What podman left in a folder of temporary files when some other test cut its power is not for these to judge."""
    for host in op.lab.hosts:
        op.lab.inside(host, "find", "/var/tmp", "-mindepth", "1", "-delete")


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    folder = tmp_path_factory.mktemp("podman")
    podman = Podman(folder)
    yield podman
    subprocess.run(["umount", "--quiet", folder / "store/overlay"], check=False)


CLEAN = (
    "podman rm --all --force --time 0; "
    "podman images --format '{{.ID}} {{.ReadOnly}}' | sed -n 's/ false$//p' | sort -u | xargs -r podman rmi --force"
)
BEGUN = "until [ -s /var/tmp/orch-image.*/podman* ]; do sleep 0.02; done"
"""Shell text that returns when podman has begun to take something in."""


@pytest.fixture
def op(op: Operator, podman: Podman, faults: Faults) -> Iterator[Operator]:
    """With a podman of their own, and with nodes that have only the lab's images."""
    op.env |= podman.env
    yield op
    faults.mend()
    orch("run", "all", "-b", "--", CLEAN, env=op.lab.env)


def inside(op: Operator, host: str, script: str) -> subprocess.Popen[str]:
    """A command in the host that goes on beside the test."""
    argv = [ORCH, "lab", "exec", "--lab", op.lab.name, host, "--", "sh", "-c", script]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def leftovers(op: Operator) -> str:
    """Temporary files of images and podmans that run, on all hosts."""
    return orch("run", "all", "-b", "--", LEFT, env=op.lab.env).stdout


def ids(op: Operator, name: str) -> dict[str, str]:
    """Node → id, of those that have the image."""
    return {node: row["id"] for row in op.json("image", "ls") if row["name"] == name for node in row["nodes"]}


def test_an_image_of_the_master_s_reaches_all_and_only_those_that_lack_it(op: Operator, podman: Podman) -> None:
    made = podman.make("localhost/push-all:1")
    first = op.orch("image", "push", "localhost/push-all:1", "w1")
    assert first.stderr.startswith("w1: sent localhost/push-all:1, ")
    rows = op.json("image", "push", "localhost/push-all:1")
    assert {row["node"]: row["state"] for row in rows} == {"w1": "there", "w2": "sent", "w3": "sent"}
    assert ids(op, "localhost/push-all:1") == dict.fromkeys(op.lab.hosts, made)
    again = op.orch("image", "push", "localhost/push-all:1")
    assert again.stderr.count("is there already") == 3
    assert leftovers(op) == ""


def test_an_image_with_the_same_name_and_other_content_is_replaced(op: Operator, podman: Podman) -> None:
    podman.make("localhost/push-new:1", 1 << 10)
    op.orch("image", "push", "localhost/push-new:1", "w1,w2")
    newer = podman.make("localhost/push-new:1", 1 << 10)
    rows = op.json("image", "push", "localhost/push-new:1", "w1,w2")
    assert {row["state"] for row in rows} == {"sent"}
    assert ids(op, "localhost/push-new:1") == {"w1": newer, "w2": newer}


def test_what_only_the_master_has_is_applied_once_it_is_pushed(op: Operator, podman: Podman) -> None:
    podman.make("localhost/only-here:1", 1 << 10)
    text = "name: shop\nservices: {web: {image: 'localhost/only-here:1', command: sleep 1000}}\n"
    refused = op.apply(text, status=1)
    assert "localhost/only-here:1" in refused.stderr
    op.orch("image", "push", "localhost/only-here:1")
    op.apply(text)
    assert op.ps()["shop/web.1"]["state"] == "running"
    (row,) = [row for row in op.json("image", "ls") if row["name"] == "localhost/only-here:1"]
    assert row["services"] == ["shop/web"]


def test_a_node_that_has_an_image_gives_it_to_the_others(op: Operator) -> None:
    op.lab.inside("w2", "sh", "-c", "tar -C /bin -c busybox | podman import -q - localhost/from-node:1")
    done = op.orch("image", "push", "localhost/from-node:1")
    assert "w2: localhost/from-node:1 is there already" in done.stderr
    assert len(set(ids(op, "localhost/from-node:1").values())) == 1
    assert set(ids(op, "localhost/from-node:1")) == {"w1", "w2", "w3"}
    assert op.lab.inside("w2", "sh", "-c", LEFT) == ""


def test_an_archive_on_disk_is_sent_as_it_is(op: Operator, podman: Podman, tmp_path: Path) -> None:
    made = podman.make("localhost/archived:1", 1 << 10)
    podman("save", "--quiet", "--output", str(tmp_path / "a.tar"), "localhost/archived:1")
    op.orch("image", "push", "--file", str(tmp_path / "a.tar"), "w1")
    assert ids(op, "localhost/archived:1") == {"w1": made}
    (tmp_path / "cut.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:5000])
    refused = op.orch("image", "push", "--file", str(tmp_path / "cut.tar"), status=2)
    assert f"{tmp_path}/cut.tar: is no whole archive of images" in refused.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("localhost/nowhere",), 4, "there is no image localhost/nowhere:latest on this machine, w1, w2, w3"),
        (("redis",), 4, "localhost/redis:latest is there: use the whole name, in the Compose file too"),
        (("localhost/nowhere", "--from", "w3"), 4, "there is no image localhost/nowhere:latest on w3"),
        (("localhost/x", "--from", "w9"), 2, "there is no such host"),
        (("Not An Image",), 2, "'Not An Image' cannot name an image"),
        (("localhost/x@sha256:" + "0" * 64,), 2, "tag it, and push that name"),
        ((), 2, "push needs the name of an image"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(
    op: Operator, words: tuple[str, ...], status: int, message: str
) -> None:
    assert message in op.orch("image", "push", *words, status=status).stderr


def test_without_podman_the_master_says_so_where_it_matters(op: Operator, tmp_path: Path) -> None:
    for name in ("sh", "timeout"):
        (tmp_path / name).symlink_to(f"/bin/{name}" if name == "sh" else "/usr/bin/timeout")
    op.env["PATH"] = str(tmp_path)
    refused = op.orch("image", "push", "localhost/nowhere", status=4)
    assert "on w1, w2, w3; this machine could not be asked: podman is missing" in refused.stderr
    # Nobody needs it for what the nodes have.
    assert "w1: localhost/redis:latest is there already" in op.orch("image", "push", "localhost/redis").stderr


def test_a_full_disk_is_told_with_the_remedy_and_costs_nobody_else(op: Operator, podman: Podman) -> None:
    podman.make("localhost/push-full:1", BIG)
    op.lab.inside("w3", "mount", "-t", "tmpfs", "-o", "size=8m", "none", "/var/tmp")
    try:
        done = op.orch("image", "push", "localhost/push-full:1", status=3)
        assert op.lab.inside("w3", "sh", "-c", LEFT) == ""
    finally:
        op.lab.inside("w3", "umount", "/var/tmp")
    assert "w3: localhost/push-full:1: podman load: " in done.stderr
    assert "no space left on device; make room under /var/lib/containers and /var/tmp" in done.stderr
    assert set(ids(op, "localhost/push-full:1")) == {"w1", "w2"}
    op.orch("image", "push", "localhost/push-full:1")
    assert set(ids(op, "localhost/push-full:1")) == {"w1", "w2", "w3"}


def start_push(op: Operator, *words: str) -> subprocess.Popen[str]:
    """Returns when podman on w2 has begun to take something in."""
    with inside(op, "w2", BEGUN):
        return push_in_background(op, *words)


def push_in_background(op: Operator, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [ORCH, "image", "push", *words],
        env={**os.environ, **op.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_a_push_broken_off_leaves_nothing_and_can_be_begun_again(
    op: Operator, podman: Podman, blow: signal.Signals
) -> None:
    name = f"localhost/broken-{blow.name.lower()}:1"
    podman.make(name, BIG)
    shared_memory = set(os.listdir("/dev/shm"))
    pushing = start_push(op, name)
    pushing.send_signal(blow)
    _, said = pushing.communicate(timeout=30)
    assert pushing.returncode == (130 if blow == signal.SIGINT else -signal.SIGKILL), said
    if blow == signal.SIGKILL:
        # Nobody is left to end anything: each end sees the connection go.
        gone = "while pgrep podman || ls /var/tmp | grep -q .; do sleep 0.05; done"
        orch("run", "all", "-b", "--max-time", "20", "--", gone, env=op.lab.env)
        until = time.monotonic() + 10
        while set(os.listdir("/dev/shm")) > shared_memory and time.monotonic() < until:
            time.sleep(0.05)
    assert leftovers(op) == ""
    assert {f for f in os.listdir("/dev/shm") if f.startswith("orch-image")} <= shared_memory
    assert ids(op, name) == {}
    op.orch("image", "push", name)
    assert set(ids(op, name)) == set(op.lab.hosts)


def test_what_podman_unpacks_elsewhere_goes_too(op: Operator, podman: Podman) -> None:
    podman.make("localhost/unpacked:1", BIG)
    unpacking = "until ls -d /var/tmp/oci*/*.tar; do :; done >/dev/null 2>&1; pkill -STOP -x podman"
    with inside(op, "w2", unpacking):
        pushing = push_in_background(op, "localhost/unpacked:1", "w2")
    assert "/var/tmp/oci" in leftovers(op)
    pushing.send_signal(signal.SIGINT)
    pushing.communicate(timeout=30)
    assert leftovers(op) == ""


def test_a_node_that_dies_is_told_and_the_others_get_the_image(op: Operator, podman: Podman, faults: Faults) -> None:
    podman.make("localhost/push-death:1", BIG)
    pushing = start_push(op, "localhost/push-death:1")
    faults.kill("w2")
    _, said = pushing.communicate(timeout=60)
    assert pushing.returncode == 3, said
    assert "orch: w2: localhost/push-death:1: " in said
    assert {line[:8] for line in said.splitlines()} >= {"w1: sent", "w3: sent"}


STUCK = """cat >/usr/local/bin/podman <<'END'
#!/bin/sh
[ "$1" != load ] || exec sleep 4441
exec /usr/bin/podman "$@"
END
chmod +x /usr/local/bin/podman"""
"""Shell text that puts a podman before the real one that takes nothing of what it is to load."""


async def test_a_node_that_stalls_is_given_up_and_the_others_get_the_image(op: Operator, podman: Podman) -> None:
    made = podman.make("localhost/push-stall:1", BIG)
    op.lab.inside("w2", "sh", "-c", STUCK)
    os.environ |= podman.env
    said: dict[str, str] = {}
    try:
        fleet = read_fleet((Path(op.env["ORCH_INVENTORY"]),))
        async with Pool() as pool:
            links = [pool.link(host) for host in fleet.hosts]
            push = Push(Cargo({"localhost/push-stall:1": made}, BIG), said.__setitem__)
            await push.from_link(local_link(pool), links, stall=2.0)
        assert op.lab.inside("w2", "sh", "-c", "ls /var/tmp; pgrep -fx 'sleep 4441'; true") == ""
    finally:
        op.lab.inside("w2", "rm", "/usr/local/bin/podman")
        for name in podman.env:
            del os.environ[name]
    assert said == {"w1": "", "w2": "took in nothing for 2 s and was given up; is its disk stuck?", "w3": ""}


def test_nothing_of_an_image_is_written_to_the_master_s_disk_or_kept_in_memory(op: Operator, podman: Podman) -> None:
    """Not by podman either, as long as there is room in memory for the layer that it copies before it sends it."""
    podman.make("localhost/push-lean:1", BIG)
    written: dict[int, int] = {}
    peak = 0
    argv = [ORCH, "image", "push", "localhost/push-lean:1"]
    with subprocess.Popen(argv, env={**os.environ, **op.env}, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            for member in family(process.pid):
                try:
                    written[member.pid] = member.io_counters().write_bytes
                    if member.pid == process.pid:
                        peak = max(peak, member.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.01)
    assert process.returncode == 0
    assert set(ids(op, "localhost/push-lean:1")) == set(op.lab.hosts)
    assert len(written) > 2
    assert sum(written.values()) < BIG // 4
    assert peak < (80 << 20)


def family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def test_prune_removes_what_nobody_needs(op: Operator, podman: Podman) -> None:
    for name in ("unused", "wanted", "used"):
        podman.make(f"localhost/{name}:1", 1 << 10)
    op.orch("image", "push", "localhost/unused:1", "localhost/wanted:1", "localhost/used:1", "w1")
    op.lab.inside("w1", "podman", "create", "localhost/used:1", "true")
    op.apply("name: shop\nservices: {web: {image: 'localhost/wanted:1', deploy: {replicas: 0}}}\n")
    assert op.orch("image", "prune", "w1", "--dry-run").stdout.startswith("w1: localhost/unused:1 (")
    assert "add --yes" in op.orch("image", "prune", "w1", status=2).stderr
    assert op.orch("image", "prune", "--yes").stderr == "removed 1 image\n"
    names = {row["name"] for row in op.json("image", "ls", "w1")}
    assert {"localhost/wanted:1", "localhost/used:1"} <= names
    assert "localhost/unused:1" not in names


def test_a_node_that_cannot_be_asked_is_told_beside_the_others(op: Operator, faults: Faults) -> None:
    faults.kill("w3")
    done = op.orch("image", "ls", "--timeout", "3", status=3)
    assert "localhost/busybox:latest" in done.stdout
    assert "orch: w3: " in done.stderr
    pushed = op.orch("image", "push", "localhost/busybox", "--timeout", "3", status=3)
    assert "orch: w3: localhost/busybox:latest: " in pushed.stderr
