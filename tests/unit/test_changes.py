"""What a plan says of specs that change, and the exit status that goes with a plan."""

from __future__ import annotations

import msgspec
import pytest

from orch.cli.report import plan_status
from orch.controllers.changes import Change, changed_keys, spec_changes
from orch.model.container import ContainerOptions, FileMount, Healthcheck, VolumeMount
from orch.model.plan import Forget, Plan, Refusal
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec
from tests.unit.clusters import replica_of, shop, web

OLD = msgspec.structs.replace(web(), environment={"LEVEL": "info", "GONE": "x", "SAME": "s"}, labels={"a": "1"})


def changed(**fields: object) -> tuple[str, ...]:
    return changed_keys(OLD, msgspec.structs.replace(OLD, **fields))


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({}, ()),
        ({"image": "nginx:2", "command": ("x",)}, ("command", "image")),
        (
            {"environment": {"LEVEL": "debug", "NEW": "", "SAME": "s"}},
            ("environment.GONE", "environment.LEVEL", "environment.NEW"),
        ),
        ({"request": Resources(200, OLD.request.memory)}, ("deploy.resources.reservations.cpus",)),
        (
            {"options": ContainerOptions(user="app", sysctls={"net.core.somaxconn": "1"})},
            ("sysctls.net.core.somaxconn", "user"),
        ),
        ({"mounts": (VolumeMount("/data"),)}, ("volumes",)),
        ({"files": (FileMount("token", "/t", "d"),)}, ("configs and secrets",)),
        ({"healthcheck": Healthcheck(("NONE",))}, ("healthcheck",)),
        ({"restart": RestartPolicy("on-failure", 3)}, ("restart",)),
        ({"replicas": 4, "mode": "global"}, ("deploy.mode", "replicas")),
    ],
)
def test_the_keys_that_differ_are_named_as_compose_names_them(fields: dict[str, object], keys: tuple[str, ...]) -> None:
    assert changed(**fields) == keys


def test_no_value_is_told() -> None:
    new = msgspec.structs.replace(OLD, environment={"PASSWORD": "hunter2"})

    assert "hunter2" not in str(spec_changes([shop(OLD)], [shop(new)]))


def test_only_services_that_both_have_are_compared() -> None:
    db, cache = ServiceSpec("db", "db:1"), ServiceSpec("cache", "cache:1")
    new = msgspec.structs.replace(OLD, image="nginx:2")

    found = spec_changes([shop(OLD, db)], [shop(new, cache), StackSpec("other", (OLD,))])

    assert found == (Change("shop/web", ("image",)),)


ACTION = Forget(replica_of(OLD, "w1"), "gone")
REFUSED, AWAY = Refusal("shop/web.1", "no room"), Refusal("w2", "no route", "w2")


@pytest.mark.parametrize(
    ("plan", "status"),
    [
        (Plan(), 0),
        (Plan((ACTION,)), 10),
        (Plan((), (AWAY,)), 3),
        (Plan((ACTION,), (AWAY,)), 10),
        (Plan((), (AWAY, REFUSED)), 4),
        (Plan((ACTION,), (REFUSED,)), 4),
    ],
)
def test_a_host_that_is_away_is_no_refusal_of_what_is_wanted(plan: Plan, status: int) -> None:
    assert plan_status(plan) == status
