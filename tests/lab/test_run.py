"""`orch run`: what is printed, in which order, and what is said of it all in the end."""

from __future__ import annotations

import hashlib
import os
import pty
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.lab.hosts import ORCH, Faults, Operator

Row = dict[str, Any]

SCRIPT = '#!/bin/sh\necho "$# $1 $(hostname)"\nexit 0\n'


def rows_of(op: Operator, *words: str, status: int = 0) -> list[Row]:
    rows: list[Row] = msgspec.json.decode(op.orch("run", "-o", "json", *words, status=status).stdout)
    return rows


def test_output_comes_with_its_host_and_a_summary_by_outcome(op: Operator) -> None:
    done = op.orch("run", "all", "--", "echo out; echo err >&2; [ $(hostname) != w2 ] || exit 7", status=3)
    assert done.stdout == "w1 | out\nw2 | out\nw3 | out\n"
    assert done.stderr.splitlines()[-1] == "2 ok, 1 failed (w2: 7)"
    assert sorted(done.stderr.splitlines()[:-1]) == ["w1 | err", "w2 | err", "w3 | err"]


@pytest.mark.parametrize(("command", "status"), [("true", 0), ("exit 5", 1), ("[ $(hostname) = w1 ]", 3)])
def test_the_status_says_whether_all_some_or_none_succeeded(op: Operator, command: str, status: int) -> None:
    assert op.orch("run", "all", "--", command, status=None).returncode == status


def test_the_order_is_the_inventory_s_whoever_is_first(op: Operator) -> None:
    command = "sleep 0.$((40 - $(hostname | tr -d w) * 10)); echo a; echo b"
    assert op.orch("run", "all", "--", command).stdout == "".join(f"w{n} | {x}\n" for n in (1, 2, 3) for x in "ab")


def test_lines_are_there_before_the_command_ends(op: Operator) -> None:
    """Also of hosts whose turn has not come, when they are asked for as they come."""
    wait = "echo begun; until [ -e /run/go ]; do sleep 0.05; done; rm /run/go; echo done"
    argv = [ORCH, "run", "all", "--live", "-b", "--", wait]
    with subprocess.Popen(argv, env={**os.environ, **op.env}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert sorted(process.stdout.readline() for _ in range(3)) == [f"w{n} | begun\n" for n in (1, 2, 3)]
        op.lab.inside("w3", "touch", "/run/go")
        assert process.stdout.readline() == "w3 | done\n"
        for host in ("w1", "w2"):
            op.lab.inside(host, "touch", "/run/go")
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_json_has_every_host_in_order(op: Operator, faults: Faults) -> None:
    faults.kill("w2")
    rows = rows_of(op, "all", "--timeout", "4", "--", "echo out; echo err >&2; exit 4", status=1)
    assert [(r["host"], r["rc"], r["stdout"], r["stderr"]) for r in rows] == [
        ("w1", 4, "out\n", "err\n"),
        ("w2", None, "", ""),
        ("w3", 4, "out\n", "err\n"),
    ]
    assert [bool(r["error"]) for r in rows] == [False, True, False]
    assert all(0 <= r["seconds"] < 10 for r in rows)


def test_input_goes_to_every_host_whole(op: Operator) -> None:
    argv = [ORCH, "run", "all", "--stdin", "--", "sha256sum; echo end"]
    data = os.urandom(3 << 20)
    done = subprocess.run(argv, env={**os.environ, **op.env}, input=data, capture_output=True, check=True)
    sums = {line.split()[2] for line in done.stdout.decode().splitlines() if line.endswith("-")}
    assert sums == {hashlib.sha256(data).hexdigest()}
    assert done.stdout.count(b"| end\n") == 3


def test_without_being_asked_input_is_left_alone(op: Operator) -> None:
    """A loop over lines that calls orch must not lose them."""
    script = f"printf 'a\\nb\\n' | while read x; do {ORCH} run w1 -- cat; echo $x; done"
    done = subprocess.run(
        ["sh", "-c", script], env={**os.environ, **op.env}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "a\nb\n"


def test_a_script_is_copied_run_with_its_arguments_and_removed(op: Operator) -> None:
    script = op.folder / "task.sh"
    script.write_text(SCRIPT)
    done = op.orch("run", "all", "--script", str(script), "--", "it's", "b")
    assert done.stdout == "".join(f"w{n} | 2 it's w{n}\n" for n in (1, 2, 3))
    assert op.lab.inside("w1", "sh", "-c", "ls /tmp") == ""


def test_a_missing_script_is_named_and_nothing_runs(op: Operator, tmp_path: Path) -> None:
    done = op.orch("run", "all", "--script", str(tmp_path / "absent"), status=2)
    assert f"{tmp_path / 'absent'}: cannot be read: No such file or directory" in done.stderr


def test_root_is_asked_for_with_b(op: Operator) -> None:
    inventory = op.folder / "plain.yml"
    inventory.write_text(
        Path(op.env["ORCH_INVENTORY"]).read_text().replace("ansible_become: true", "ansible_become: false")
    )
    assert op.orch("-i", str(inventory), "run", "w1", "--", "id -un").stdout == "w1 | orch\n"
    assert op.orch("-i", str(inventory), "run", "w1", "-b", "--", "id -un").stdout == "w1 | root\n"


def test_no_more_commands_at_once_than_forks(op: Operator) -> None:
    rows = rows_of(op, "all", "-f", "1", "--", "date +%s%N; sleep 0.3; date +%s%N")
    spans = sorted(tuple(map(int, row["stdout"].split())) for row in rows)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_a_command_over_its_time_is_ended_on_its_host(op: Operator) -> None:
    done = op.orch("run", "all", "--max-time", "1", "--", "[ $(hostname) != w2 ] || sleep 4331", status=3)
    assert "w2: was ended after 1 s" in done.stderr
    assert done.stderr.splitlines()[-1] == "2 ok, 1 without result (w2)"
    assert op.lab.inside("w2", "sh", "-c", "pgrep -fx 'sleep 4331' || echo none") == "none\n"


def test_a_reader_that_has_seen_enough_ends_it_all(op: Operator) -> None:
    argv = f"{ORCH} run all -- 'yes 4332' | head -n 2; exit 0"
    done = subprocess.run(["sh", "-c", argv], env={**os.environ, **op.env}, capture_output=True, text=True, timeout=30)
    assert done.stdout == "w1 | 4332\n" * 2
    assert "Traceback" not in done.stderr
    assert op.lab.inside("w3", "sh", "-c", "pgrep -fx 'yes 4332' || echo none") == "none\n"


def test_what_a_host_sends_does_not_steer_the_terminal(op: Operator) -> None:
    primary, secondary = pty.openpty()
    argv = [ORCH, "run", "w1", "--", r"printf '\033[31mred\033[0m \033]0;title\007 \033[2Jx\r\n'"]
    with subprocess.Popen(argv, env={**os.environ, **op.env}, stdout=secondary, stderr=subprocess.DEVNULL):
        os.close(secondary)
        seen = b""
        try:
            while part := os.read(primary, 4096):
                seen += part
        except OSError:  # The other end is closed.
            pass
    os.close(primary)
    assert seen == b"w1 | \x1b[31mred\x1b[0m ^[]0;title^G ^[[2Jx\r\n"


def test_a_dead_host_holds_up_nobody_and_is_told_once(op: Operator, faults: Faults) -> None:
    faults.kill("w1")
    done = op.orch("run", "all", "--timeout", "4", "--", "date +%s", status=3)
    assert done.stderr.count("w1") == 2  # The cause, and the summary.
    assert done.stderr.splitlines()[-1] == "2 ok, 1 without result (w1)"


def test_binary_output_passes_unchanged_to_a_pipe(op: Operator) -> None:
    argv = [ORCH, "run", "w1", "--", r"printf '\000\377\001\n'; head -c 200000 /dev/zero"]
    done = subprocess.run(argv, env={**os.environ, **op.env}, capture_output=True, check=True)
    assert done.stdout.startswith(b"w1 | \x00\xff\x01\n")
    assert done.stdout.count(b"\x00") == 200_001


def test_json_is_valid_whatever_was_printed(op: Operator) -> None:
    rows = rows_of(op, "w1", "--", r"printf '\000\377\033\n'")
    assert msgspec.json.decode(msgspec.json.encode(rows[0]["stdout"])) == "\x00\ufffd\x1b\n"
