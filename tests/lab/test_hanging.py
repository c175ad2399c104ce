"""A podman that hangs whatever it is asked: its node is told of, by name and with the remedy, and the others go on."""

from __future__ import annotations

import os
import re
import subprocess
import time

from tests.lab.hosts import ORCH, Operator
from tests.lab.test_bad_inputs import stack, wrapped

TOLD = "podman gave no answer within 20 s; if it hangs, `podman ps` there hangs too, and mostly a restart of the host "
LOOK_SECONDS = 40
"""podman has 20 s for its list, and 5 more to end itself; the rest is a busy machine's."""
EXPECTED = {"nodes": 3, "ps": 3, "plan": 10, "apply": 3}
"""Exit status of each command."""


def begin(op: Operator, verb: str, file: str) -> subprocess.Popen[str]:
    words = [verb, *(["-f", file] if verb in {"plan", "apply"} else [])]
    return subprocess.Popen(
        [ORCH, *words],
        env={**os.environ, **op.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_podman_that_hangs_is_told_of_by_every_command_and_the_others_go_on(op: Operator) -> None:
    op.apply(stack())
    before = op.ps()
    file = op.file(stack(image="localhost/busybox:2"))
    with wrapped(op, "w1", "kill -STOP $$"):
        began = time.monotonic()
        # Side by side: each waits as long as the podman of w1 may take.
        running = {verb: begin(op, verb, file) for verb in EXPECTED}
        said = {verb: running[verb].communicate(timeout=2 * LOOK_SECONDS) for verb in ("nodes", "ps", "plan")}
        assert time.monotonic() - began < LOOK_SECONDS
        said["apply"] = running["apply"].communicate(timeout=2 * LOOK_SECONDS)
        left = op.lab.inside("w1", "pgrep", "-x", "podman", status=None)
    for verb, status in EXPECTED.items():
        out, err = said[verb]
        assert running[verb].returncode == status, err
        if verb == "nodes":
            assert re.search(f"^w1 +unsuitable .* {TOLD}", out, re.MULTILINE)
        else:
            assert len(re.findall(f"^orch: w1: {TOLD}", err, re.MULTILINE)) == 1
        assert not re.search("orch: w[23]", err)
    assert "1 replica there is left as it is" in said["apply"][1]
    assert left == ""
    now = op.ps()
    assert {name: row["image"] for name, row in now.items() if row["node"] != "w1"} == dict.fromkeys(
        (name for name, row in before.items() if row["node"] != "w1"), "localhost/busybox:2"
    )
    assert {row["id"] for row in now.values() if row["node"] == "w1"} <= {row["id"] for row in before.values()}
    assert "3 of 3 replicas running" in op.apply(stack(image="localhost/busybox:2")).stderr
