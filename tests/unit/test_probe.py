"""Reading what a probed node prints, as recorded from hosts of several kinds."""

from __future__ import annotations

import re

import pytest

from orch.model.node import Container, Facts, Reachable
from orch.model.replica import Slot
from orch.model.resources import Resources
from orch.observe.probe import parse_probe, probe_script
from tests.unit import hosts

NOW = 1_700_000_000.0


def read(text: str) -> Reachable:
    """As asked and answered at one time."""
    return parse_probe(text, NOW, NOW)


def facts(text: str) -> Facts:
    return read(text).facts


def container_line(service: str, number: int, attempt: int, ident: str) -> str:
    return (
        f'container ["{ident}","shop.{service}.{number}","running",0,false,"0001-01-01T00:00:00Z",0,'
        f'{{"orch.stack":"shop",'
        f'"orch.service":"{service}","orch.slot":"{number}","orch.attempt":"{attempt}","orch.replica":"r",'
        f'"orch.spec":"h"}},"image",{{}},""]\n'
    )


def test_a_debian_host_with_cgroups_of_version_1_is_read_whole() -> None:
    assert read(hosts.DEBIAN_V1) == Reachable(
        at=NOW,
        facts=Facts(
            capacity=Resources(4000, 8148284 * 1024),
            memory_used=(8148284 - 6012344) * 1024,
            cpu_used=750,
            load=0.42,
            disk_free=51200000 * 1024,
            kernel="5.10.0-28-amd64",
            system="Debian GNU/Linux 11 (bullseye)",
            arch="x86_64",
            clock_skew=10.5,
            clock_error=0.51,
            podman="4.3.1",
        ),
        containers=(
            Container(
                id="3f2a",
                name="shop.web.1",
                replica="abcdefghijkl",
                slot=Slot("shop", "web", 1),
                attempt=2,
                spec_hash="0123456789abcdef",
                image="docker.io/library/nginx:latest",
                state="running",
                started_at=1_699_999_200.123456,
                addresses=("10.88.0.5",),
            ),
        ),
        problem="",
    )


def test_limits_of_version_1_are_the_nodes_capacity() -> None:
    found = facts(hosts.DEBIAN_V1_LIMITED)

    assert found.capacity == Resources(1500, 512 << 20)
    assert found.memory_used == 200_000_000
    assert (found.cpu_used, found.disk_free) == (None, None)


def test_limits_of_version_2_are_the_nodes_capacity() -> None:
    assert read(hosts.DEBIAN_V2_LIMITED) == Reachable(
        at=NOW,
        facts=Facts(
            capacity=Resources(500, 1 << 30),
            memory_used=500 << 20,
            cpu_used=250,
            load=2.5,
            disk_free=1 << 20,
            kernel="6.1.0-18-amd64",
            system="Debian GNU/Linux 12 (bookworm)",
            arch="aarch64",
            clock_skew=-0.25,
            clock_error=0.01,
            podman="4.3.1",
        ),
    )


def test_without_limits_of_version_2_the_machine_is_the_capacity() -> None:
    found = facts(hosts.DEBIAN_V2_UNLIMITED)

    assert found.capacity == Resources(8000, 16316084 * 1024)
    assert found.memory_used == (16316084 - 12012344) * 1024


def test_an_alpine_host_without_cgroups_is_read_from_proc_stat() -> None:
    assert read(hosts.ALPINE) == Reachable(
        at=NOW,
        facts=Facts(
            capacity=Resources(2000, 2013840 * 1024),
            memory_used=(2013840 - 1500000) * 1024,
            cpu_used=1000,
            disk_free=4096000 * 1024,
            kernel="6.6.14-0-lts",
            system="Alpine Linux v3.19",
            arch="x86_64",
            clock_skew=-4.5,
            clock_error=0.51,
            podman="4.8.3",
        ),
    )


def test_a_fedora_host_with_podman_5_is_read_whole() -> None:
    found = read(hosts.FEDORA)

    assert found.facts == Facts(
        capacity=Resources(2000, 4015012 * 1024),
        memory_used=(4015012 - 3201440) * 1024,
        cpu_used=300,
        load=0.08,
        disk_free=12582912 * 1024,
        kernel="6.11.4-301.fc41.x86_64",
        system="Fedora Linux 41 (Server Edition)",
        arch="x86_64",
        clock_skew=0.125,
        clock_error=0.01,
        podman="5.2.5",
    )
    assert found.containers == (
        Container(
            id="c157a790",
            name="shop.job.1",
            replica="mnopqrstuvwx",
            slot=Slot("shop", "job", 1),
            attempt=1,
            spec_hash="fedcba9876543210",
            image="docker.io/library/busybox:latest",
            state="exited",
            exit_code=137,
            oom_killed=True,
            started_at=1_730_535_301.0,
        ),
        Container(
            id="b1946ac9",
            name="shop.web.2",
            replica="abcdefghijkl",
            slot=Slot("shop", "web", 2),
            attempt=1,
            spec_hash="0123456789abcdef",
            image="docker.io/library/nginx:1.27",
            state="running",
            restarts=2,
            started_at=1_730_535_300.987654,
            addresses=("10.88.0.9",),
            health="healthy",
        ),
    )
    assert (found.at, found.problem) == (NOW, "")


def test_a_host_without_podman_says_so_and_still_has_its_facts() -> None:
    found = read(hosts.WITHOUT_PODMAN)

    assert found.problem == "podman is missing; install it with the system's package manager"
    assert (found.facts.podman, found.facts.capacity, found.containers) == (None, Resources(1000, 1000000 * 1024), ())


def test_podman_that_is_too_old_is_a_problem_that_names_the_version_needed() -> None:
    found = read(hosts.DEBIAN_V1.replace("podman 4.3.1", "podman 3.4.4"))

    assert (found.problem, found.facts.podman) == (
        "podman 3.4.4 is too old, 4.0 is needed; `orch doctor` knows the way to a newer one",
        "3.4.4",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (hosts.PODMAN_FAILS, "podman does not answer: Error: database is locked"),
        (hosts.PODMAN_HANGS, "podman did not list its containers"),
    ],
)
def test_podman_that_fails_is_a_problem_of_the_node(text: str, problem: str) -> None:
    found = read(text)

    assert (found.problem, found.facts.podman) == (problem, "4.3.1")


def test_containers_are_sorted_by_slot_attempt_and_id() -> None:
    lines = [("web", 10, 1, "a"), ("web", 2, 2, "b"), ("web", 2, 1, "d"), ("web", 2, 1, "c"), ("api", 3, 9, "e")]
    text = (
        hosts.WITHOUT_PODMAN + "podman 4\n" + "".join(container_line(*line) for line in lines) + "containers listed\n"
    )

    assert [c.id for c in read(text).containers] == ["e", "c", "d", "b", "a"]


@pytest.mark.parametrize(
    ("line", "capacity"),
    [
        ("cpu_max 900000 100000", 4000),
        ("cpu_max 250000 100000", 2500),
        ("cpu_max 12345 100000", 123),
        ("cpu_max max 100000", 4000),
        ("cfs_quota 50000", 500),
        ("cfs_quota -1", 4000),
    ],
)
def test_a_quota_counts_where_it_is_less_than_the_processors(line: str, capacity: int) -> None:
    text = f"time 1\ncores 4\nMemTotal 1 kB\nMemAvailable 1 kB\n{line}\n"

    assert facts(text).capacity.millicpus == capacity


@pytest.mark.parametrize(
    ("line", "memory"),
    [("memory_max 1048576", 1 << 20), ("memory_max 2097152", 2 << 20), ("memory_max 4194304", 2 << 20)],
)
def test_a_memory_limit_counts_where_it_is_below_the_machines_memory(line: str, memory: int) -> None:
    assert facts(f"time 1\ncores 4\nMemTotal 2048 kB\nMemAvailable 1024 kB\n{line}\n").capacity.memory == memory


def test_memory_in_use_is_never_below_zero() -> None:
    lines = "memory_max 1048576\nmemory_current 1000\nmemory_cache 2000\n"

    assert facts(f"time 1\ncores 4\nMemTotal 2048 kB\nMemAvailable 1024 kB\n{lines}").memory_used == 0


@pytest.mark.parametrize(
    ("before", "after", "used"),
    [
        ("10.0 usec 0", "12.0 usec 3000000", 1500),
        ("10.0 usec 5", "12.0 usec 5", 0),
        ("10.0 usec 9000000", "12.0 usec 0", 0),
        ("10.0 usec 0", "10.0 usec 100", None),
        ("10.0 usec 0", "9.0 usec 100", None),
        ("10.0 stat cpu 0 0 0 0 0 0 0 0", "12.0 stat cpu 10 20 30 900 900 10 20 10", 500),
    ],
)
def test_cpu_use_is_measured_between_two_samples(before: str, after: str, used: int | None) -> None:
    assert facts(f"{hosts.WITHOUT_PODMAN}cpu_before {before}\ncpu_after {after}\n").cpu_used == used


@pytest.mark.parametrize("missing", ["time", "cores", "MemTotal", "MemAvailable"])
def test_an_answer_without_what_every_node_has_is_refused(missing: str) -> None:
    text = "".join(line for line in hosts.ALPINE.splitlines(keepends=True) if not line.startswith(f"{missing} "))
    with pytest.raises(ValueError, match=f"^the probe's answer has no {missing}$"):
        read(text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("time now", "invalid literal for int"),
        ("cores many", "invalid literal for int"),
        ("cpu_max 1", "not enough values to unpack"),
        ("cpu_max a b", "invalid literal for int"),
        ("memory_max much", "invalid literal for int"),
        ("MemTotal ", "the probe's answer cannot be read: "),
        ("load high", "expected a number, not 'high'"),
        ("load nan", "expected a number, not 'nan'"),
        ("began inf", "expected a number, not 'inf'"),
        (f"memory_max {1 << 63}", "9223372036854775808 is more than a machine counts"),
        (f"MemTotal {1 << 53} kB", "9007199254740992 is more than a machine counts"),
        ("disk_free_kb 99999999999999999999", "99999999999999999999 is more than a machine counts"),
        ("disk_free_kb -", "invalid literal for int"),
        ("cpu_before x", "not enough values to unpack"),
        ("cpu_before 1.0 usec", "the probe's answer cannot be read: "),
        ("cpu_before 1.0 stat cpu 1 2", "the probe's answer cannot be read: "),
        (f"time {'9' * 400}", f"{'9' * 40} is more than a machine counts"),
    ],
)
def test_garbage_in_a_fact_is_refused(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        read(f"{hosts.DEBIAN_V1}{line}\n")


@pytest.mark.parametrize("line", ["container {", "container"])
def test_a_container_that_cannot_be_read_makes_its_node_unsuitable(line: str) -> None:
    problem = read(f"{hosts.DEBIAN_V1}{line}\n").problem
    assert problem.startswith("podman described a container in a way that cannot be read: ")


@pytest.mark.parametrize("text", ["", "\n\n", "sh: syntax error", "<html>", "\0\0", "time 5"])
def test_what_is_no_answer_of_a_probe_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the probe's answer has no "):
        read(text)


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_only_a_newline_ends_a_line(separator: str) -> None:
    text = hosts.DEBIAN_V1.replace('"orch.cluster":"prod"', f'"title":"one{separator}two"')

    assert [c.id for c in read(text).containers] == ["3f2a"]


def test_the_script_quotes_what_it_is_told() -> None:
    script = probe_script("it's", 0.5).splitlines()

    assert script[0] == """folder='/var/lib/orch/it'"'"'s'"""
    assert script[2] == """cluster_filter='label=orch.cluster=it'"'"'s'"""
    assert script[4:6] == ["sample=0.5", "list_seconds=20"]


def test_the_script_measures_no_cpu_use_unless_told() -> None:
    assert "sample=''" in probe_script("prod").splitlines()
