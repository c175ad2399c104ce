"""Configs and secrets that are half written when something breaks: the next apply puts it right, and leaves nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.hosts import ORCH, Faults, Operator

STACK = """
name: shop
services:
  web:
    image: localhost/busybox:latest
    command: sleep 1000
    stop_grace_period: 0s
    secrets: [first, second, third]
secrets:
  first: {environment: FIRST}
  second: {environment: SECOND}
  third: {environment: THIRD}
"""
SECRETS = {"FIRST": "one", "SECOND": "two", "THIRD": "three"}
WAITING = """#!/bin/sh
mkdir /run/first 2>/dev/null && exec /usr/bin/base64 "$@"
mkdir /run/second 2>/dev/null || exec /usr/bin/base64 "$@"
echo "$PPID" >/run/up
read -r _ </run/go
exec /usr/bin/base64 "$@"
"""
"""Of all files that a host ever writes the second one has to wait; who writes it is told at /run/up."""
INSTALL = 'mkfifo /run/up /run/go && printf %s "$1" >/usr/local/bin/base64 && chmod 755 /usr/local/bin/base64'
UNDO = "rm -rf /usr/local/bin/base64 /run/up /run/go /run/first /run/second"
LET_GO = 'echo >/run/go & timeout 40 tail --pid="$1" --sleep-interval=0.05 --follow /dev/null; kill $!; true'
"""On return who wrote it has ended. Where it did before, nobody reads and the echo is ended."""
FILES = "cd /var/lib/orch 2>/dev/null && find . -path '*/files/*' | sed 's:.*/files/::' | sort"


@pytest.fixture
def waiting(op: Operator) -> Iterator[None]:
    op.env |= SECRETS
    op.lab.inside("w1", "sh", "-c", INSTALL, "sh", WAITING)
    yield
    op.lab.inside("w1", "sh", "-c", UNDO)


def begin_and_wait(op: Operator) -> tuple[subprocess.Popen[str], str]:
    """An apply that has written one file of three, and the process on w1 that writes them."""
    # The scheduler takes the first of equal nodes.
    apply = subprocess.Popen(
        [ORCH, "apply", "-f", op.file(STACK)],
        env={**os.environ, **op.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    writer = op.lab.inside("w1", "timeout", "30", "cat", "/run/up").strip()
    folder, *files = op.lab.inside("w1", "sh", "-c", FILES).split()
    assert folder.endswith(".new")
    assert files == [f"{folder}/0", f"{folder}/1"]
    return apply, writer


def check_whole(op: Operator) -> None:
    """One replica, its three files, and nothing of any other, on any host."""
    found = {host: (list(op.containers(host)), op.lab.inside(host, "sh", "-c", FILES).split()) for host in op.lab.hosts}
    containers = {host: names for host, (names, _) in found.items() if names}
    ((host, names),) = containers.items()
    assert names == ["shop.web.1"]
    (row,) = op.ps().values()
    assert {name: files for name, (_, files) in found.items() if files} == {
        host: [row["id"], *(f"{row['id']}/{number}" for number in range(3))]
    }
    said = op.lab.inside(host, "podman", "exec", "shop.web.1", "sh", "-c", "cd /run/secrets && cat first second third")
    assert said == "".join(SECRETS.values())


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("writer_ends", ["before", "after", "killed"])
def test_files_whose_apply_was_killed_leave_nothing_behind(op: Operator, writer_ends: str) -> None:
    """The writer ends before the next apply, or after it, or as in a power cut."""
    apply, writer = begin_and_wait(op)
    apply.kill()
    apply.communicate()
    if writer_ends == "killed":
        op.lab.inside("w1", "kill", "-KILL", writer)
    if writer_ends != "after":
        op.lab.inside("w1", "sh", "-c", LET_GO, "sh", writer)
    op.apply(STACK)
    if writer_ends == "after":
        op.lab.inside("w1", "sh", "-c", LET_GO, "sh", writer)
    check_whole(op)
    assert "nothing to change" in op.apply(STACK).stderr


@pytest.mark.usefixtures("waiting")
def test_files_whose_host_was_cut_off_are_written_anew_when_it_is_back(op: Operator, faults: Faults) -> None:
    apply, writer = begin_and_wait(op)
    faults.cut("w1")
    _, said = apply.communicate(timeout=90)
    assert apply.returncode == 1
    assert said.count("orch: w1: ") == 1
    faults.heal("w1")
    op.lab.inside("w1", "sh", "-c", LET_GO, "sh", writer)
    op.apply(STACK)
    check_whole(op)


@pytest.mark.usefixtures("waiting")
def test_files_half_written_go_with_their_stack(op: Operator) -> None:
    apply, writer = begin_and_wait(op)
    apply.kill()
    apply.communicate()
    op.orch("rm", "--yes", "shop")
    op.lab.inside("w1", "sh", "-c", LET_GO, "sh", writer)
    assert [op.lab.inside(host, "sh", "-c", FILES) for host in op.lab.hosts] == ["", "", ""]
    assert op.json("ps") == []
