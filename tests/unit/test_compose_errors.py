"""Every kind of wrong Compose file, with the place that its error names."""

from __future__ import annotations

import pytest

from orch.errors import InputError
from orch.located import parse_located
from orch.stackfile.compose import StackFile, build_stack
from orch.stackfile.shapes import TAGS

POLICIES = "no, always, unless-stopped, on-failure or on-failure:N"


def read(text: str, name: str | None) -> StackFile:
    document = parse_located(text, "c.yml", tags=TAGS, written=True)
    return build_stack(document, name=name, fallback="folder", variables={"SET": "x"})


def refused(text: str, name: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read(text, name)
    return str(caught.value)


def refused_service(entry: str) -> str:
    """The error for one entry on line 4, without the part that is the same for all."""
    message = refused(f"services:\n  web:\n    image: app\n    {entry}\n")
    assert message.startswith("c.yml:4: services.web.")
    return message.removeprefix("c.yml:4: services.web.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c.yml: has no services; expected services: NAME: image: …"),
        ("services:\n", "c.yml: has no services; expected services: NAME: image: …"),
        ("name: x\nservices: {}\n", "c.yml: has no services; expected services: NAME: image: …"),
        ("- a\n", "c.yml:1: expected a mapping, not a list"),
        ("services: [web]\n", "c.yml:1: services: expected a mapping, not a list"),
        ("services:\n  web:\n", "c.yml:2: services.web: has no image; orch runs images and does not build them"),
        ("services:\n  web: app\n", "c.yml:2: services.web: expected a mapping, not 'app'"),
        ("volumes: {}\nservices: {}\n", "c.yml: has no services; expected services: NAME: image: …"),
        ("name: My Shop\nservices: {}\n", "c.yml:1: name: expected a name of a-z, 0-9, - and _, not 'My Shop'"),
        ("name: -x\nservices: {}\n", "c.yml:1: name: expected a name of a-z, 0-9, - and _, not '-x'"),
        ("name: ''\nservices: {}\n", "c.yml:1: name: expected a name of a-z, 0-9, - and _, not ''"),
        (f"name: {'x' * 64}\n", f"c.yml:1: name: expected a name of a-z, 0-9, - and _, not '{'x' * 57}…'"),
        ("name:\nservices: {}\n", "c.yml:1: name: expected a string, not nothing"),
        (
            "services:\n  we b:\n    image: x\n",
            "c.yml:2: services.we b: a service's name is made of letters, digits, - and _, 63 at most",
        ),
        (
            "services: {web: {image: x}}\nvolumes:\n  v: {external: true, driver: nfs}\n",
            "c.yml:3: volumes.v.driver: stands beside external; who makes it decides on that",
        ),
        (
            "services:\n  -web: {image: x}\n",
            "c.yml:2: services.-web: a service's name is made of letters, digits, - and _, 63 at most",
        ),
        (
            f"services:\n  {'x' * 64}: {{image: x}}\n",
            f"c.yml:2: services.{'x' * 64}: a service's name is made of letters, digits, - and _, 63 at most",
        ),
    ],
)
def test_what_is_no_stack_is_refused_with_its_place(text: str, message: str) -> None:
    assert refused(text) == message


@pytest.mark.parametrize("name", ["Shop", "", "-x", "a b", "x" * 64])
def test_a_wrong_name_from_outside_is_refused(name: str) -> None:
    message = f"c.yml: a stack cannot be called {name!r}: use a-z, 0-9, - and _"

    assert refused("services: {web: {image: x}}", name) == message


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "expected a string, not nothing"),
        ("''", "expected the name of an image like redis:7, not ''"),
        ("Redis", "expected the name of an image like redis:7, not 'Redis'"),
        ("-v", "expected the name of an image like redis:7, not '-v'"),
        ("a b", "expected the name of an image like redis:7, not 'a b'"),
        ("[a]", "expected a string, not a list"),
        ("$NO", "expected the name of an image like redis:7, not ''"),
        ("${NO?}", "the variable NO must be set: it is not"),
    ],
)
def test_a_wrong_image_is_refused(written: str, message: str) -> None:
    assert refused(f"services:\n  web:\n    image: {written}\n") == f"c.yml:3: services.web.image: {message}"


@pytest.mark.parametrize("written", ["'redis:'", "redis@", "'redis:a:b'", "org//app"])
def test_an_image_with_a_part_missing_is_refused(written: str) -> None:
    assert refused(f"services:\n  web:\n    image: {written}\n").startswith(
        "c.yml:3: services.web.image: expected the name of an image like redis:7, not "
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("command: {a: b}", "command: expected a string or a list, not a mapping"),
        ('command: "sh -c \'x"', "command: No closing quotation"),
        ("command: [a, [b]]", "command[1]: expected a string, not a list"),
        ("entrypoint: [{a: b}]", "entrypoint[0]: expected a string, not a mapping"),
        ("environment: x", "environment: expected a list or a mapping, not 'x'"),
        ("environment: {A: [1]}", "environment.A: expected a string, not a list"),
        ("environment: [1, [A]]", "environment[1]: expected a string, not a list"),
        ("environment: [=x]", "environment[0]: '' cannot name a variable"),
        ("environment: ['']", "environment[0]: '' cannot name a variable"),
        ("environment: {A B: x}", "environment.A B: 'A B' cannot name a variable"),
        ("environment: {A=B: x}", "environment.A=B: 'A=B' cannot name a variable"),
        ("environment: {'': x}", "environment.: '' cannot name a variable"),
        ('environment: {A: "x\\0y"}', "environment.A: contains a NUL character"),
        (
            'environment: {a.b: "x\\ny"}',
            "environment.a.b: a value of several lines or of 64 KiB needs a name of letters, digits and _",
        ),
        ("environment: ['A=${NO:?give it}']", "environment[0]: the variable NO must be set: give it"),
        ("environment: {A: 'a${'}", "environment.A: has a ${ without its }; write $$ for a dollar sign"),
        ("scale: -1", "scale: expected a whole number from 0, not -1"),
        ("scale: 1.5", "scale: expected a whole number from 0, not 1.5"),
        ("scale: $SET", "scale: expected a whole number from 0, not 'x'"),
        ("scale: 100001", "scale: expected at most 100000, not 100001"),
        ("deploy: 5", "deploy: expected a mapping, not 5"),
        ("deploy: {replicas: many}", "deploy.replicas: expected a whole number from 0, not 'many'"),
        ("deploy: {replicas: }", "deploy.replicas: expected a whole number from 0, not nothing"),
        (
            "deploy: {mode: many}",
            "deploy.mode: expected replicated, global, replicated-job or global-job, not 'many'",
        ),
        ("deploy: {resources: {limit: {}}}", "deploy.resources.limit: unknown key; did you mean limits?"),
        ("deploy: {resources: {many: {}}}", "deploy.resources.many: unknown key; known here: limits, reservations"),
        ("deploy: {resources: [1]}", "deploy.resources: expected a mapping, not a list"),
        ("deploy: {resources: {limits: 5}}", "deploy.resources.limits: expected a mapping, not 5"),
        (
            "deploy: {resources: {limits: {cpus: x}}}",
            "deploy.resources.limits.cpus: expected a number of cores like 0.5 or 2, not 'x'",
        ),
        (
            "deploy: {resources: {reservations: {memory: x}}}",
            "deploy.resources.reservations.memory: expected a size like 512m or 1.5g, not 'x'",
        ),
        (
            "deploy: {resources: {limits: {cpus: 1}, reservations: {cpus: 1.001}}}",
            "deploy.resources.reservations: reserves more cpus than the limit allows",
        ),
        (
            "deploy: {resources: {limits: {memory: 1k}, reservations: {memory: 1025b}}}",
            "deploy.resources.reservations: reserves more memory than the limit allows",
        ),
        ("restart: sometimes", f"restart: expected {POLICIES}, not 'sometimes'"),
        ("restart: yes", f"restart: expected {POLICIES}, not 'yes'"),
        ("restart: always:3", f"restart: expected {POLICIES}, not 'always:3'"),
        ("restart: [no]", "restart: expected a string, not a list"),
        ("restart: 'on-failure:'", "restart: expected a number of attempts after on-failure:, not 'on-failure:'"),
        ("restart: on-failure:-1", "restart: expected a number of attempts after on-failure:, not 'on-failure:-1'"),
        ("restart: on-failure:٣", "restart: expected a number of attempts after on-failure:, not 'on-failure:٣'"),
        ("stop_grace_period: 10", "stop_grace_period: expected a duration like 10s or 1m30s, not 10"),
        ("stop_grace_period: soon", "stop_grace_period: expected a duration like 10s or 1m30s, not 'soon'"),
        ("stop_grace_period: 10s!", "stop_grace_period: expected a duration like 10s or 1m30s, not '10s!'"),
        ("stop_grace_period: -1s", "stop_grace_period: expected a duration like 10s or 1m30s, not '-1s'"),
        ("stop_grace_period: 1d", "stop_grace_period: expected a duration like 10s or 1m30s, not '1d'"),
        ("stop_grace_period: ''", "stop_grace_period: expected a duration like 10s or 1m30s, not ''"),
        ("x-ours: '${'", "x-ours: has a ${ without its }; write $$ for a dollar sign"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(entry: str, message: str) -> None:
    assert refused_service(entry) == message


@pytest.mark.parametrize(
    "entry",
    [
        f"stop_grace_period: {'9' * 40}h",
        f"restart: on-failure:{'9' * 5000}",
        f"scale: '{'9' * 5000}'",
        'command: ["a\\0b"]',
        'command: "a\\0b"',
        'entrypoint: ["a\\0b"]',
        'environment: {A: "\\ud800"}',
        'environment: {"#A": a comment to podman}',
        'command: ["\\udfff"]',
    ],
)
def test_what_no_node_could_be_told_is_refused_with_its_place(entry: str) -> None:
    assert refused_service(entry).startswith(entry.partition(":")[0])
