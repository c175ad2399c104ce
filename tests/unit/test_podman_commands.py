"""The exact words of each podman command that changes a node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from orch.model.replica import Replica, Slot
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec
from orch.podman.commands import remove, run
from orch.podman.within import within

GOLDEN = Path(__file__).parent.parent / "golden"
REPLICA = Replica("abcdefghijkl", Slot("shop", "web", 2), 3, "w1", "0123456789abcdef")
FULL = ServiceSpec(
    name="web",
    image="docker.io/library/redis:7",
    command=("redis-server", "--save", "it's 60 1", ""),
    entrypoint=("/bin/sh", "-c", 'exec "$@"'),
    environment={"PLAIN": "one line", "KEY": "-----BEGIN\nsecond\n", "B.C": "x=y", "EMPTY": ""},
    replicas=3,
    request=Resources(250, 64 << 20),
    limit=Resources(1500, 128 << 20),
    restart=RestartPolicy("on-failure", 5),
    stop_grace=20,
)


def words(spec: ServiceSpec) -> tuple[str, ...]:
    return run("prod", REPLICA, spec).argv


def between(argv: tuple[str, ...], first: str, last: str) -> tuple[str, ...]:
    return argv[argv.index(first) : argv.index(last)]


def test_a_plain_service_is_run_with_these_words() -> None:
    assert words(ServiceSpec("web", "docker.io/library/redis:7")) == (
        "timeout", "-k", "5", "300", "podman", "run", "--detach",
        "--name", "shop.web.2",
        "--hostname", "web-2",
        "--label", "orch.cluster=prod",
        "--label", "orch.stack=shop",
        "--label", "orch.service=web",
        "--label", "orch.slot=2",
        "--label", "orch.attempt=3",
        "--label", "orch.replica=abcdefghijkl",
        "--label", "orch.spec=0123456789abcdef",
        "--restart", "no",
        "--stop-timeout", "10",
        "--", "docker.io/library/redis:7",
    )  # fmt: skip


def test_a_full_service_is_run_with_the_words_of_the_golden_file() -> None:
    command = run("prod", REPLICA, FULL)
    text = "".join(f"{word!r}\n" for word in command.argv)

    assert text == (GOLDEN / "podman_run.txt").read_text(encoding="utf-8")


def test_single_lines_of_an_environment_go_in_by_a_file_and_longer_values_by_the_environment() -> None:
    command = run("prod", REPLICA, FULL)

    assert command.stdin == "B.C=x=y\nEMPTY=\nPLAIN=one line\n"
    assert command.environment == {"GOGC": "400", "KEY": "-----BEGIN\nsecond\n"}


@pytest.mark.parametrize(
    ("environment", "in_argv", "stdin"),
    [
        ({}, (), ""),
        ({"A": "s3cret"}, ("--env-file", "/dev/stdin"), "A=s3cret\n"),
        ({"A": "s3\ncret"}, ("--env", "A"), ""),
        ({"B": "s3\ncret", "A": "\n"}, ("--env", "A", "--env", "B"), ""),
    ],
)
def test_an_environment_is_in_the_words_by_name_at_most(
    environment: Mapping[str, str], in_argv: tuple[str, ...], stdin: str
) -> None:
    command = run("prod", REPLICA, ServiceSpec("web", "image", environment=environment))

    assert between(command.argv, "--stop-timeout", "--")[2:] == in_argv
    assert command.stdin == stdin


@pytest.mark.parametrize("value", ["ends in a return\r", "x" * 65_536], ids=["return", "long"])
def test_what_podman_would_cut_from_a_line_of_a_file_goes_in_by_the_environment(value: str) -> None:
    command = run("prod", REPLICA, ServiceSpec("web", "image", environment={"A": value}))

    assert (command.stdin, command.environment) == ("", {"GOGC": "400", "A": value})


def test_no_value_of_an_environment_stands_in_the_words() -> None:
    environment = {"A": "s3cret-one", "B": "s3cret-two\n", "C": "--s3cret=three", "D": "s3cret\nfour"}
    command = run("prod", REPLICA, ServiceSpec("web", "image", environment=environment))

    assert [word for word in command.argv if "s3cret" in word] == []


@pytest.mark.parametrize(
    ("request_", "limit", "expected"),
    [
        (Resources(), Resources(), ()),
        (Resources(1000, 0), Resources(), ("--cpu-shares", "1024")),
        (Resources(1, 0), Resources(), ("--cpu-shares", "2")),
        (Resources(250, 0), Resources(), ("--cpu-shares", "256")),
        (Resources(0, 1024), Resources(), ("--memory-reservation", "1024")),
        (Resources(), Resources(50, 0), ("--cpus", "0.05")),
        (Resources(), Resources(2000, 1 << 30), ("--cpus", "2", "--memory", "1073741824")),
    ],
)
def test_only_the_resources_that_are_set_become_words(
    request_: Resources, limit: Resources, expected: tuple[str, ...]
) -> None:
    argv = words(ServiceSpec("web", "image", request=request_, limit=limit))

    assert between(argv, "orch.spec=0123456789abcdef", "--restart")[1:] == expected


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (RestartPolicy(), "no"),
        (RestartPolicy("always"), "always"),
        (RestartPolicy("unless-stopped"), "unless-stopped"),
        (RestartPolicy("on-failure"), "on-failure"),
        (RestartPolicy("on-failure", 3), "on-failure:3"),
        (RestartPolicy("always", 3), "always"),
    ],
)
def test_a_restart_policy_is_written_as_podman_reads_it(policy: RestartPolicy, word: str) -> None:
    argv = words(ServiceSpec("web", "image", restart=policy))

    assert argv[argv.index("--restart") + 1] == word


@pytest.mark.parametrize(
    ("entrypoint", "expected"),
    [
        (None, ()),
        ((), ("--entrypoint", "[]")),
        (("/bin/sh", 'say "hi"'), ("--entrypoint", '["/bin/sh", "say \\"hi\\""]')),
    ],
)
def test_an_entrypoint_is_given_as_json(entrypoint: tuple[str, ...] | None, expected: tuple[str, ...]) -> None:
    argv = words(ServiceSpec("web", "image", entrypoint=entrypoint))

    assert between(argv, "--stop-timeout", "--")[2:] == expected


@pytest.mark.parametrize("command", [None, (), ("--help",), ("--", "-x", "a b")])
def test_what_follows_the_image_is_the_command_alone(command: tuple[str, ...] | None) -> None:
    argv = words(ServiceSpec("web", "image", command=command))

    assert argv[argv.index("--") :] == ("--", "image", *(command or ()))


def test_a_container_is_removed_within_its_grace_and_thirty_seconds() -> None:
    command = remove("shop.web.2", 20)

    assert command.argv == (
        "timeout", "-k", "5", "50",
        "podman", "rm", "--force", "--ignore", "--volumes", "--time", "20", "--", "shop.web.2",
    )  # fmt: skip
    assert (command.stdin, command.environment) == ("", {"GOGC": "400"})


def test_a_command_is_ended_on_its_own_node() -> None:
    assert within(7, ("podman", "ps")) == ("timeout", "-k", "5", "7", "podman", "ps")
