"""Reading what podman says of one container."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orch.model.node import Container
from orch.model.replica import Replica, Slot
from orch.podman.inspect import FORMAT, ForeignContainer, filter_of, parse_container, parse_time
from orch.podman.labels import Identity, identity, labels_of

REPLICA = Replica("abcdefghijkl", Slot("shop", "web", 3), 2, "w1", "0123456789abcdef")
LABELS = labels_of("prod", REPLICA)
STARTED = "2024-05-06T07:08:09.123456789Z"
RUNNING: dict[str, Any] = {
    "id": "3f2a9c",
    "name": "shop.web.3",
    "status": "running",
    "exit_code": 0,
    "oom_killed": False,
    "started_at": STARTED,
    "restarts": 0,
    "labels": LABELS,
    "image": "docker.io/library/nginx:latest",
    "networks": {"podman": {"IPAddress": "10.88.0.5", "Gateway": "10.88.0.1"}},
    "health": "",
}


def line(**changes: object) -> str:
    return json.dumps(list({**RUNNING, **changes}.values()))


def refused(text: str) -> str:
    with pytest.raises(ValueError, match=r"^podman described a container in a way that cannot be read: ") as caught:
        parse_container(text)
    return str(caught.value)


def test_a_running_container_is_read_whole() -> None:
    assert parse_container(line()) == Container(
        id="3f2a9c",
        name="shop.web.3",
        replica="abcdefghijkl",
        slot=Slot("shop", "web", 3),
        attempt=2,
        spec_hash="0123456789abcdef",
        image="docker.io/library/nginx:latest",
        state="running",
        exit_code=0,
        oom_killed=False,
        restarts=0,
        started_at=datetime(2024, 5, 6, 7, 8, 9, 123456, UTC).timestamp(),
        addresses=("10.88.0.5",),
    )


@pytest.mark.parametrize("health", ["", "starting", "healthy", "unhealthy"])
def test_what_a_check_says_is_read(health: str) -> None:
    assert parse_container(line(health=health)).health == health


def test_a_container_killed_for_its_memory_is_read() -> None:
    found = parse_container(line(status="exited", exit_code=137, oom_killed=True, restarts=4))

    assert (found.state, found.exit_code, found.oom_killed, found.restarts) == ("exited", 137, True, 4)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("configured", "created"),
        ("created", "created"),
        ("initialized", "created"),
        ("running", "running"),
        ("stopping", "running"),
        ("paused", "paused"),
        ("stopped", "exited"),
        ("exited", "exited"),
        ("removing", "removing"),
        ("levitating", "unknown"),
    ],
)
def test_each_status_of_podman_is_a_state(status: str, state: str) -> None:
    assert parse_container(line(status=status)).state == state


def test_labels_of_others_are_let_be() -> None:
    assert parse_container(line(labels={**LABELS, "maintainer": "someone"})) == parse_container(line())


@pytest.mark.parametrize(
    ("networks", "addresses"),
    [
        ({}, ()),
        (None, ()),
        ({"podman": {}}, ()),
        ({"podman": {"IPAddress": ""}}, ()),
        ({"b": {"IPAddress": "10.0.0.1"}, "a": {"IPAddress": "10.0.0.2"}}, ("10.0.0.2", "10.0.0.1")),
    ],
)
def test_addresses_come_in_the_order_of_the_networks(networks: object, addresses: tuple[str, ...]) -> None:
    assert parse_container(line(networks=networks)).addresses == addresses


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T00:00:10.5Z", 10.5),
        ("1970-01-01T00:00:10.25Z", 10.25),
        ("1970-01-01T00:00:10.123456Z", 10.123456),
        ("1970-01-01T00:00:10.1234567Z", 10.123456),
        ("1970-01-01T00:00:10.123456789Z", 10.123456),
        ("1970-01-01T02:00:10.5+02:00", 10.5),
        ("1969-12-31T18:30:00.000000001-05:30", 0.0),
    ],
)
def test_times_are_read_as_go_writes_them(text: str, instant: float | None) -> None:
    assert parse_time(text) == instant


@pytest.mark.parametrize("text", ["", "never", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00+99:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat|must be in|offset must be"):
        parse_time(text)


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00", "1970-01-01"])
def test_a_time_without_its_zone_is_refused_since_it_means_another_instant_on_each_machine(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


@pytest.mark.parametrize(
    "label", ["orch.stack", "orch.service", "orch.slot", "orch.attempt", "orch.replica", "orch.spec"]
)
def test_a_missing_label_is_named(label: str) -> None:
    labels = {key: value for key, value in LABELS.items() if key != label}

    assert refused(line(labels=labels)).endswith(f"cannot be read: the label {label} is missing")


@pytest.mark.parametrize(
    "text", ["", "{", "5", "null", "[]", "{}", '"text"', "[1,2,3]", "[1e999]", line()[:-1], line() + "x", line(extra=1)]
)
def test_what_is_no_description_is_refused(text: str) -> None:
    assert len(refused(text)) > len("podman described a container in a way that cannot be read: ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 5), ("id", None), ("name", ["n"]), ("status", []), ("exit_code", "much"), ("exit_code", None),
        ("oom_killed", "false"), ("started_at", 5), ("started_at", "soon"), ("restarts", None), ("labels", None),
        ("labels", []), ("labels", {**LABELS, "orch.stack": 5}), ("image", None), ("networks", [1]),
        ("networks", {"a": 5}), ("networks", {"a": {"IPAddress": 5}}),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_refused(field: str, value: object) -> None:
    assert refused(line(**{field: value})).startswith("podman described")


def test_labels_are_read_back_as_they_are_written() -> None:
    assert identity(labels_of("prod", REPLICA)) == Identity(REPLICA.slot, 2, "abcdefghijkl", "0123456789abcdef")


@pytest.mark.parametrize("label", ["orch.slot", "orch.attempt"])
@pytest.mark.parametrize("value", ["", "x", "1.0", "-1", " 1", "1_0", "01"])
def test_a_number_that_is_not_as_it_is_written_is_refused(label: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        identity({**LABELS, label: value})


def test_podman_is_asked_for_one_line_of_eleven_fields() -> None:
    assert FORMAT == (
        "container [{{json .ID}},{{json .Name}},{{json .State.Status}},{{json .State.ExitCode}},"
        "{{json .State.OOMKilled}},{{json .State.StartedAt}},{{json .RestartCount}},{{json .Config.Labels}},"
        "{{json .ImageName}},{{json .NetworkSettings.Networks}},"
        '{{if .State.Health}}{{json .State.Health.Status}}{{else}}""{{end}}]'
    )


def test_only_the_containers_of_one_cluster_are_asked_for() -> None:
    assert filter_of("prod") == "label=orch.cluster=prod"


def test_a_copy_that_somebody_made_of_a_container_is_not_ours() -> None:
    """podman's clones and commits carry the labels along, and never the name."""
    with pytest.raises(ForeignContainer, match="debug"):
        parse_container(line(name="debug"))
