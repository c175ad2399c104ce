"""Compose files: each key in both its forms."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from orch.errors import InputError
from orch.located import parse_located
from orch.model.container import NetworkUse
from orch.model.resources import Resources
from orch.model.spec import NetworkSpec, RestartPolicy, ServiceSpec, StackSpec
from orch.stackfile.compose import build_stack, read_stack
from orch.stackfile.shapes import TAGS

VARIABLES = {"TAG": "7", "N": "3", "SECRET": "s3"}


def alone(stack: str, service: ServiceSpec) -> StackSpec:
    """A stack of one service and the network that it is in without saying so."""
    network = f"{stack}_default"
    service = msgspec.structs.replace(service, networks=(NetworkUse(network),))
    return StackSpec(stack, (service,), networks=(NetworkSpec("default", network),))


def stack(text: str, name: str | None = None) -> StackSpec:
    document = parse_located(text, "c.yml", tags=TAGS, written=True)
    return build_stack(document, name=name, fallback="folder", variables=VARIABLES).spec


def service(entries: str) -> ServiceSpec:
    return stack(f"services: {{web: {{image: app, {entries}}}}}").services[0]


def test_a_service_needs_no_more_than_an_image() -> None:
    assert stack("services:\n  web:\n    image: redis\n") == alone(
        "folder", ServiceSpec("web", "docker.io/library/redis:latest")
    )


def test_every_key_finds_its_place_in_the_spec() -> None:
    text = """
    version: "3.8"
    name: shop
    x-common: {anything: 1}
    services:
      web:
        image: quay.io/org/app:1
        command: [serve, --port, 80]
        entrypoint: /bin/sh -c
        environment: {B: 2, A: x}
        restart: on-failure:3
        stop_grace_period: 1m
        scale: 9
        x-owner: me
        deploy:
          mode: replicated
          replicas: 4
          x-note: [1]
          resources:
            limits: {cpus: 1.5, memory: 1g}
            reservations: {cpus: 0.5, memory: 512m}
    """

    assert stack(text) == alone(
        "shop",
        ServiceSpec(
            name="web",
            image="quay.io/org/app:1",
            command=("serve", "--port", "80"),
            entrypoint=("/bin/sh", "-c"),
            environment={"A": "x", "B": "2"},
            replicas=4,
            request=Resources(500, 512 << 20),
            limit=Resources(1500, 1 << 30),
            restart=RestartPolicy("on-failure", 3),
            stop_grace=60,
        ),
    )


def test_services_are_sorted_by_name() -> None:
    assert [s.name for s in stack("services: {b: {image: x}, a: {image: x}, C: {image: x}}").services] == [
        "C",
        "a",
        "b",
    ]


def test_the_name_given_wins_over_the_files_which_wins_over_the_folders() -> None:
    assert stack("name: infile\nservices: {a: {image: x}}", "given").name == "given"
    assert stack("name: infile\nservices: {a: {image: x}}").name == "infile"
    assert stack("services: {a: {image: x}}").name == "folder"


@pytest.mark.parametrize(
    ("folder", "name"), [("My Shop", "myshop"), ("_-shop_2", "shop_2"), ("9-lives", "9-lives"), ("ÄÖ", "stack")]
)
def test_the_folder_names_a_stack_without_a_name(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "compose.yml"
    path.write_text("services: {a: {image: 'x:$TAG'}}")

    assert read_stack([path], name=None, variables=VARIABLES).spec == alone(
        name, ServiceSpec("a", "docker.io/library/x:7")
    )


@pytest.mark.parametrize("key", ["command", "entrypoint"])
@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("[sh, -c, 'a b']", ("sh", "-c", "a b")),
        ("[1, true, 0.5]", ("1", "true", "0.5")),
        ("[]", ()),
        ("\"sh -c 'a b' c\"", ("sh", "-c", "a b", "c")),
        ("''", ()),
        ("", None),
        ("'$$HOME ${N}'", ("$HOME", "3")),
        ("['$$HOME', '${N}']", ("$HOME", "3")),
    ],
)
def test_words_are_a_list_or_a_line_as_a_shell_splits_it(key: str, written: str, words: tuple[str, ...] | None) -> None:
    assert getattr(service(f"{key}: {written}"), key) == words


@pytest.mark.parametrize(
    ("written", "environment"),
    [
        ("{B: 1, A: text, C: true, D: 0.5}", {"A": "text", "B": "1", "C": "true", "D": "0.5"}),
        ("[B=1, A=text, 'C=a=b c']", {"A": "text", "B": "1", "C": "a=b c"}),
        ("{SECRET: , MISSING: }", {"SECRET": "s3"}),
        ("[SECRET, MISSING]", {"SECRET": "s3"}),
        ("{SECRET: ''}", {"SECRET": ""}),
        ("['SECRET=']", {"SECRET": ""}),
        ("{A: '$SECRET-$$x'}", {"A": "s3-$x"}),
        ("['A=${NO:-d}']", {"A": "d"}),
        ("[A=1, A=2]", {"A": "2"}),
        ('{A: "x\\ny"}', {"A": "x\ny"}),
        ("{with.dot-and-dash: 1}", {"with.dot-and-dash": "1"}),
        ("{}", {}),
        ("[]", {}),
        ("", {}),
    ],
)
def test_an_environment_is_a_mapping_or_a_list(written: str, environment: dict[str, str]) -> None:
    found = service(f"environment: {written}").environment

    assert list(found.items()) == list(environment.items())


@pytest.mark.parametrize(
    ("entries", "replicas"),
    [
        ("scale: 3", 3),
        ("scale: 0", 0),
        ("scale: '$N'", 3),
        ("deploy: {replicas: 2}", 2),
        ("deploy: {replicas: 100000}", 100_000),
        ("deploy: {replicas: 2}, scale: 5", 2),
        ("deploy: {}", 1),
        ("deploy: ", 1),
    ],
)
def test_replicas_are_deploys_or_else_the_scale(entries: str, replicas: int) -> None:
    assert service(entries).replicas == replicas


@pytest.mark.parametrize(
    ("resources", "request_", "limit"),
    [
        ("{}", Resources(), Resources()),
        ("", Resources(), Resources()),
        ("{limits: {cpus: '0.5', memory: 64m}}", Resources(500, 64 << 20), Resources(500, 64 << 20)),
        ("{limits: {memory: 64m}, reservations: }", Resources(0, 64 << 20), Resources(0, 64 << 20)),
        ("{reservations: {cpus: 2, memory: 1g}}", Resources(2000, 1 << 30), Resources()),
        ("{limits: {cpus: 1}, reservations: {cpus: 1}}", Resources(1000, 0), Resources(1000, 0)),
        ("{limits: {cpus: 1}, reservations: {cpus: 0.5, memory: 1g}}", Resources(500, 1 << 30), Resources(1000, 0)),
    ],
)
def test_who_sets_a_limit_alone_is_given_it(resources: str, request_: Resources, limit: Resources) -> None:
    found = service(f"deploy: {{resources: {resources}}}")

    assert (found.request, found.limit) == (request_, limit)


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("no", RestartPolicy("no")),
        ("'no'", RestartPolicy("no")),
        ("always", RestartPolicy("always")),
        ("unless-stopped", RestartPolicy("unless-stopped")),
        ("on-failure", RestartPolicy("on-failure", 0)),
        ("on-failure:5", RestartPolicy("on-failure", 5)),
        ("", RestartPolicy("no")),
    ],
)
def test_a_restart_policy_is_read(written: str, policy: RestartPolicy) -> None:
    assert service(f"restart: {written}").restart == policy


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10s", 10),
        ("0s", 0),
        ("1m30s", 90),
        ("2h", 7200),
        ("1h1m1s", 3661),
        ("1000ms", 1),
        ("60000000us", 60),
        ("", 10),
    ],
)
def test_a_grace_is_read_as_a_duration(written: str, seconds: int) -> None:
    assert service(f"stop_grace_period: {written}").stop_grace == seconds


@pytest.mark.parametrize(("written", "seconds"), [("1.5s", 2), ("500ms", 1), ("1us", 1), ("1m0.2s", 61)])
def test_parts_of_a_second_round_up(written: str, seconds: int) -> None:
    assert service(f"stop_grace_period: {written}").stop_grace == seconds


def test_anchors_and_merges_share_what_services_have_in_common() -> None:
    text = """
    x-base: &base {image: app, restart: always}
    services:
      a: *base
      b: {<<: *base, image: other}
    """

    assert [(s.image, s.restart.condition) for s in stack(text).services] == [
        ("docker.io/library/app:latest", "always"),
        ("docker.io/library/other:latest", "always"),
    ]


def test_the_hash_knows_what_a_container_is_made_from_and_not_how_many() -> None:
    once = service("environment: {A: 1, B: 2}")

    assert service("environment: [B=2, A=1], scale: 5").hash == once.hash
    assert service("environment: {A: 1, B: 3}").hash != once.hash


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}/compose.yml: cannot be read: No such file"):
        read_stack([tmp_path / "compose.yml"], name=None, variables={})
