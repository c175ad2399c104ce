"""`orch job`: one-off containers, followed to their end whatever comes between."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.hosts import ORCH, Faults, Operator, heed_interrupts

# A first process that ignores SIGTERM would take its whole grace to stop.
SLEEP = "trap exit TERM; sleep 1000 & wait"
RUN = ("job", "run", "--image", "localhost/busybox")


@contextmanager
def started(op: Operator, *words: str) -> Iterator[subprocess.Popen[str]]:
    """orch, once the job's first line is there; killed in the end, should it still run."""
    with subprocess.Popen(
        [ORCH, *words],
        env={**os.environ, **op.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as running:
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == "begun\n"
            yield running
        finally:
            running.kill()


def containers(op: Operator) -> list[str]:
    return sorted(name for host in op.lab.hosts for name in op.containers(host))


def test_a_job_s_output_and_status_are_orch_s_and_nothing_is_left(op: Operator, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# comment\nFROM_FILE=a b\n")
    words = ("-e", "GIVEN=it's", "--env-file", str(tmp_path / "env"), "--cpus", "0.5", "--memory", "64m")
    script = 'echo "$GIVEN $FROM_FILE"; echo err >&2; exit 7'
    done = op.orch(*RUN, *words, "--", "sh", "-c", script, status=7)
    assert done.stdout == "it's a b\n"
    assert done.stderr.splitlines()[1:2] == ["err"]
    assert op.json("job", "ls") == []
    assert containers(op) == []


def test_a_job_that_fits_nowhere_is_refused_and_one_that_cannot_start_leaves_nothing(op: Operator) -> None:
    refused = op.orch(*RUN, "--name", "big", "--memory", "64g", "--", "true", status=4)
    assert "job-big cannot be placed: all 3 nodes lack 64g memory" in refused.stderr
    failed = op.orch(*RUN, "--name", "bad", "--", "no-such-program", status=1)
    assert "no-such-program" in failed.stderr
    assert op.json("job", "ls") == []
    assert containers(op) == []


def test_an_apply_leaves_a_running_job_alone_and_its_request_counts(op: Operator) -> None:
    with started(op, *RUN, "--name", "long", "--memory", "700m", "--", "sh", "-c", f"echo begun; {SLEEP}") as running:
        text = "name: shop\nservices: {web: {image: localhost/busybox, command: sleep 1000, deploy: {replicas: 3,"
        text += " resources: {reservations: {memory: 600m}}}}}\n"
        # The state is not held meanwhile. Two nodes have room for one each.
        refused = op.apply(text, status=4)
        assert "shop/web.3" in refused.stderr
        (row,) = op.json("job", "ls")
        assert (row["name"], row["state"], row["exit_code"]) == ("long", "running", None)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=40)
        assert running.returncode == 130, said
        assert op.json("job", "ls") == []
        op.apply(text)


def test_a_job_outlives_orch_and_can_be_followed_and_removed(op: Operator) -> None:
    script = "echo begun; until [ -e /tmp/go ]; do sleep 0.05; done; echo end; exit 3"
    with started(op, *RUN, "--name", "left", "--", "sh", "-c", script) as running:
        running.kill()
        running.communicate()
        (row,) = op.json("job", "ls")
        assert row["state"] == "running"
        taken = op.orch(*RUN, "--name", "left", "--", "true", status=4)
        assert "there is a job left already" in taken.stderr
        with started(op, "job", "logs", "-f", "left") as following:
            op.lab.inside(row["node"], "podman", "exec", "job-left.job.1", "touch", "/tmp/go")
            out, _ = following.communicate(timeout=30)
            assert (out, following.returncode) == ("end\n", 3)
            (row,) = op.json("job", "ls")
            assert (row["state"], row["exit_code"]) == ("exited", 3)
            # What has ended stays as it is, whatever is applied.
            op.apply("name: shop\nservices: {web: {image: localhost/busybox, command: sleep 1000}}\n")
            assert [r["exit_code"] for r in op.json("job", "ls")] == [3]
            assert op.orch("job", "logs", "left").stdout == "begun\nend\n"
            op.orch("job", "rm", "left")
            assert "there is no job left" in op.orch("job", "rm", "left", status=4).stderr
            assert containers(op) == ["shop.web.1"]


def test_a_detached_job_is_kept_until_it_is_removed_as_a_stack(op: Operator) -> None:
    assert op.orch(*RUN, "--detach", "--name", "d", "--", "sh", "-c", SLEEP).stdout == "d\n"
    op.orch("rm", "job-d", "--yes")
    assert op.json("job", "ls") == []
    assert containers(op) == []


def test_a_job_over_its_time_is_ended_and_one_to_be_kept_is_kept(op: Operator) -> None:
    ended = op.orch(*RUN, "--max-time", "1", "--", "sh", "-c", SLEEP, status=124)
    assert "was ended after 1 s" in ended.stderr
    op.orch(*RUN, "--keep", "--name", "kept", "--", "sh", "-c", "exit 5", status=5)
    assert [(row["name"], row["exit_code"]) for row in op.json("job", "ls")] == [("kept", 5)]


def test_after_a_lost_connection_the_output_goes_on_where_it_was(op: Operator, faults: Faults) -> None:
    script = "echo begun; until [ -e /tmp/go ]; do sleep 0.05; done; echo end; echo err >&2; exit 4"
    with started(op, *RUN, "--name", "cut", "--", "sh", "-c", script) as running:
        (row,) = op.json("job", "ls")
        # Only the connections of the operator's own end: the node runs on.
        op.lab.inside(row["node"], "sh", "-c", "pkill -f 'sshd: [o]rch'; podman exec job-cut.job.1 touch /tmp/go")
        out, said = running.communicate(timeout=40)
        assert (out, running.returncode) == ("end\n", 4), said
        assert said.count("err\n") == 1
        assert "its output comes as soon as there is a way to it" in said
        assert containers(op) == []


def test_a_container_removed_behind_its_back_ends_the_job(op: Operator) -> None:
    with started(op, *RUN, "--name", "gone", "--", "sh", "-c", "echo begun; sleep 1000") as running:
        (row,) = op.json("job", "ls")
        op.lab.inside(row["node"], "podman", "rm", "--force", "--time", "0", "job-gone.job.1")
        _, said = running.communicate(timeout=30)
        assert running.returncode in {1, 137}, said
        assert op.json("job", "ls") == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--image", "Bad Name"), "cannot name an image"),
        (("--image", "x", "--name", "A_B"), "cannot name a job"),
        (("--image", "x", "--memory", "lots"), "expected a size"),
        (("--image", "x", "-e", "=x"), "-e: expected KEY=VALUE"),
        (("--image", "x", "--env-file", "/absent"), "/absent: cannot be read"),
        (("--image", "x", "--detach", "--max-time", "1"), "leave out --detach"),
    ],
)
def test_what_cannot_be_a_job_is_told_before_anything_is_done(
    op: Operator, words: tuple[str, ...], message: str
) -> None:
    assert message in op.orch("job", "run", *words, status=2).stderr


def test_one_that_is_not_there_keeps_no_other_and_one_out_of_sight_is_said_to_be_left(
    op: Operator, faults: Faults
) -> None:
    op.orch(*RUN, "--name", "one", "--detach", "--", "sh", "-c", SLEEP)
    op.orch(*RUN, "--name", "two", "--detach", "--", "sh", "-c", SLEEP)
    assert "there is no job none" in op.orch("job", "rm", "none", "one", status=3).stderr
    (row,) = op.json("job", "ls")

    faults.cut(row["node"])
    left = op.orch("--timeout", "2", "job", "rm", "two", status=1)
    assert f"{row['node']}: job two cannot be removed: no answer" in left.stderr
    faults.heal(row["node"])
    op.orch("job", "rm", "two")
    assert op.containers(row["node"]) == {}
