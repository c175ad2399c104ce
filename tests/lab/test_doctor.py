"""`orch doctor` on real hosts: what is broken on purpose is named, and its remedy, where it can work here, mends it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.hosts import Faults, Operator, Row


def findings(op: Operator, *words: str, status: int = 0) -> dict[str, dict[str, Row]]:
    """Host → check → finding."""
    found: dict[str, dict[str, Row]] = {host: {} for host in op.lab.hosts}
    for row in op.json("doctor", *words, status=status):
        found[row["host"]][row["check"]] = row
    return found


def errors(found: dict[str, dict[str, Row]]) -> dict[str, list[str]]:
    """Host → checks that are errors, for hosts that have some."""
    return {
        host: checks
        for host, rows in found.items()
        if (checks := [check for check, row in rows.items() if row["level"] == "error"])
    }


@contextmanager
def changed(op: Operator, host: str, change: str, undo: str) -> Iterator[None]:
    """While shell text has done something to a host."""
    op.lab.inside(host, "sh", "-c", change)
    try:
        yield
    finally:
        op.lab.inside(host, "sh", "-c", undo)


def test_hosts_as_they_are_made_can_take_part(op: Operator) -> None:
    assert errors(findings(op)) == {}
    shown = op.orch("doctor", "-o", "wide").stdout
    assert shown.splitlines()[0].split() == ["HOST", "LEVEL", "CHECK", "FINDING", "NEEDED", "FOR", "REMEDY"]


@pytest.mark.parametrize(
    ("program", "check", "remedy"),
    [
        ("/usr/bin/podman", "podman", "apt-get install -y podman"),
        ("/usr/lib/podman/netavark", "netavark", "apt-get install -y netavark"),
        ("/usr/sbin/runc", "runtime", "apt-get install -y crun"),
        ("/usr/sbin/iptables", "iptables", "apt-get install -y iptables"),
    ],
)
def test_a_program_that_is_not_there_is_named_with_its_package(
    op: Operator, program: str, check: str, remedy: str
) -> None:
    with changed(op, "w1", f"mv {program} {program}.away", f"mv {program}.away {program}"):
        found = findings(op, status=3)
        assert errors(found) == {"w1": [check]}
        assert found["w1"][check]["remedy"] == remedy
        assert op.orch("doctor", "w2,w3").returncode == 0
        assert op.orch("doctor", "w1", status=1).stdout.count(remedy) == 1
    assert errors(findings(op)) == {}


def test_a_host_that_forwards_nothing_is_mended_by_the_remedy(op: Operator) -> None:
    with changed(op, "w2", "echo 0 >/proc/sys/net/ipv4/ip_forward", "rm -f /etc/sysctl.d/90-orch.conf"):
        remedy = findings(op)["w2"]["ip_forward"]["remedy"]
        op.orch("run", "-b", "w2", "--", remedy)
        assert "ip_forward" not in findings(op)["w2"]
        assert op.lab.inside("w2", "cat", "/etc/sysctl.d/90-orch.conf") == "net.ipv4.ip_forward=1\n"


def test_a_user_who_may_not_become_root_is_mended_by_the_remedy(op: Operator) -> None:
    broken = "cp /etc/sudoers /etc/sudoers.kept && sed -i '/^orch /d' /etc/sudoers"
    with changed(op, "w3", broken, "mv /etc/sudoers.kept /etc/sudoers; rm -f /etc/sudoers.d/90-orch"):
        found = findings(op, status=3)
        assert errors(found) == {"w3": ["root"]}
        assert found["w3"]["root"]["message"] == "orch does not become root: sudo: a password is required"
        # Only root can run it, and orch is not root there.
        op.lab.inside("w3", "sh", "-c", found["w3"]["root"]["remedy"])
        assert errors(findings(op)) == {}


def test_sudo_that_is_not_there_is_to_be_installed(op: Operator) -> None:
    with changed(op, "w3", "mv /usr/bin/sudo /usr/bin/sudo.away", "mv /usr/bin/sudo.away /usr/bin/sudo"):
        found = findings(op, status=3)
        assert errors(found) == {"w3": ["root"]}
        assert found["w3"]["root"]["remedy"] == "apt-get install -y sudo"


def test_a_disk_that_is_nearly_full_is_warned_of(op: Operator) -> None:
    fill = "mount -t tmpfs -o size=64m full /var/lib/containers && head -c 60m /dev/zero >/var/lib/containers/filler"
    with changed(op, "w1", fill, "umount --lazy /var/lib/containers"):
        found = findings(op)["w1"]["disk"]
        assert found["level"] == "warning"
        assert found["message"].endswith(" of 64m are free under /var/lib/containers")
    assert "disk" not in findings(op)["w1"]


def test_an_sshd_that_allows_few_sessions_is_mended_by_the_remedy(op: Operator) -> None:
    config = "/etc/ssh/sshd_config"
    few = f"cp {config} {config}.kept && echo MaxSessions 5 >>{config} && systemctl reload ssh"
    with changed(op, "w1", few, f"mv {config}.kept {config} && systemctl reload ssh"):
        found = findings(op)["w1"]["sessions"]
        assert (found["level"], found["message"][:27]) == ("hint", "sshd allows 5 sessions in a")
        op.orch("run", "-b", "w1", "--", found["remedy"])
        assert "sessions" not in findings(op)["w1"]


def test_clones_are_told(op: Operator) -> None:
    first = shlex.quote(op.lab.inside("w1", "cat", "/etc/machine-id").strip())
    with changed(
        op,
        "w2",
        f"cp /etc/machine-id /root/kept && echo {first} >/etc/machine-id && hostname w1",
        "cp /root/kept /etc/machine-id && rm /root/kept && hostname w2",
    ):
        # They share a kernel as well, and are the same machine as far as anyone can tell.
        assert errors(findings(op, status=3)) == {"w2": ["twin"]}
        op.lab.inside("w2", "hostname", "other")
        found = findings(op)["w2"]["machine-id"]
        assert found["message"].startswith("has the machine id of w1")
        op.lab.inside("w2", "sh", "-c", found["remedy"].removesuffix(" && reboot"))
        assert "machine-id" not in findings(op)["w2"]


def test_a_dead_host_costs_its_timeout_and_the_others_nothing(op: Operator, faults: Faults) -> None:
    before = findings(op)
    faults.cut("w2")
    began = time.monotonic()
    found = findings(op, "--timeout", "3", status=3)
    assert time.monotonic() - began < 12
    assert errors(found) == {"w2": ["reachable"]}
    assert "198.18.0.2:22" in found["w2"]["reachable"]["message"]
    for host in ("w1", "w3"):
        assert set(found[host]) == set(before[host])


def test_a_podman_that_hangs_is_an_error_of_its_host_alone(op: Operator) -> None:
    # A shell script by another name: what podman does while it waits for a lock that nobody gives back.
    hang = "mv /usr/bin/podman /usr/bin/podman.away && printf '#!/bin/sh\\nexec sleep 600\\n' >/usr/bin/podman"
    undo = "mv /usr/bin/podman.away /usr/bin/podman"
    with changed(op, "w1", f"{hang} && chmod 755 /usr/bin/podman", undo):
        found = findings(op, status=3)
        assert errors(found) == {"w1": ["podman"]}
        assert found["w1"]["podman"]["message"] == "podman does not work: no answer within 15 s"
