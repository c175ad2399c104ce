"""Images that nodes pull by themselves: from a registry that works, and from one that refuses in every way it can."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from orch.model.spec import ServiceSpec
from tests.lab.direct import direct
from tests.lab.hosts import Operator, orch
from tests.lab.masters import archive
from tests.lab.registry import Refusal, Registry, image_of, registry

ALLOWED = "/etc/containers/registries.conf.d/lab.conf"
CLEAN = (
    "podman rm --all --force --time 0; podman images --quiet --filter 'reference={}/*' | xargs -r podman rmi --force"
)
PULLED = """
name: shop
services:
  web:
    image: {image}
    command: sleep 1000
    pull_policy: {pull}
    environment: {{ROUND: "{round}"}}
    stop_grace_period: 0s
    deploy: {{replicas: 3}}
"""
REFUSALS = {
    "locked": Refusal(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": 'Basic realm="lab"'}),
    "denied": Refusal(403, "DENIED", "requested access to the resource is denied"),
    "nowhere": Refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    # podman asks twenty times, and waits in between as long as it is told; by itself two minutes in all.
    "busy": Refusal(429, "TOOMANYREQUESTS", "You have reached your pull rate limit", {"Retry-After": "0"}),
    "broken": Refusal(500),
}
TOLD = {
    "locked": r"unauthorized; the registry lets {node} not have {image}, .*`orch image push {image}`",
    "denied": r"denied; the registry lets {node} not have {image}, .*`orch image push {image}`",
    "nowhere": "manifest unknown; the registry has no {image}: check its name and tag",
    "busy": "toomanyrequests: You have reached your pull rate limit; the registry limits .*`orch image push {image}`",
    "broken": "500 Internal Server Error; the registry itself is in trouble: apply again later, .*",
    "torn": "unexpected EOF; the registry broke off in the middle of {image}: apply again, .*",
}


@pytest.fixture
def hub(op: Operator) -> Iterator[Registry]:
    """A registry that all nodes may use without TLS."""
    with registry(f"orch-{op.lab.name}") as made:
        allowed = f'[[registry]]\nlocation = "{made.address}"\ninsecure = true\n'
        write = 'mkdir -p "${2%/*}"; printf %s "$1" >"$2"'
        try:
            for host in op.lab.hosts:
                op.lab.inside(host, "sh", "-c", write, "sh", allowed, ALLOWED)
            yield made
        finally:
            for host in op.lab.hosts:
                op.lab.inside(host, "sh", "-c", f"rm -f {ALLOWED}; {CLEAN.format(made.address)}")


def test_a_registry_is_asked_by_each_node_and_again_only_where_that_is_wanted(op: Operator, hub: Registry) -> None:
    name = hub.serve("app", image_of(archive(1 << 10)))
    op.apply(PULLED.format(image=name, pull="missing", round=1))
    assert {row["state"] for row in op.ps().values()} == {"running"}
    assert hub.layers("app") == 3
    asked = len(hub.asked)
    op.apply(PULLED.format(image=name, pull="missing", round=2))
    assert len(hub.asked) == asked
    newer = image_of(archive(1 << 10))
    hub.serve("app", newer)
    op.apply(PULLED.format(image=name, pull="always", round=3))
    assert hub.layers("app") == 6
    for row in op.ps().values():
        container = f"{row['stack']}.{row['service']}.{row['slot']}"
        shown = op.lab.inside(row["node"], "podman", "container", "inspect", "--format", "{{.Image}}", container)
        assert shown.strip() == newer.id


def test_each_refusal_is_one_error_with_its_remedy_and_costs_no_other_service(op: Operator, hub: Registry) -> None:
    hub.troubles |= {**REFUSALS, "torn": "torn"}
    image = image_of(archive(1 << 20))
    images = {name: hub.serve(name, image) for name in TOLD}
    services = {"fine": "localhost/busybox", **images}
    lines = [f"  {name}: {{image: '{image}', command: sleep 1000}}" for name, image in services.items()]
    text = "\n".join(["name: shop", "services:", *lines, ""])
    done = op.apply(text, status=3)
    for name, told in TOLD.items():
        (line,) = [line for line in done.stderr.splitlines() if f" shop/{name}.1: " in line]
        begin = re.fullmatch(rf"orch: (w\d): shop/{name}\.1: podman: .*", line)
        assert begin is not None, line
        wanted = told.format(image=re.escape(images[name]), node=begin[1])
        assert re.search(f"{wanted}$", line), line
        assert not re.search("Trying to pull|retrying|Copying", line)
    assert [name for name, row in op.ps().items() if row["state"] == "running"] == ["shop/fine.1"]
    hub.troubles.clear()
    assert "7 of 7 replicas running" in op.apply(text).stderr


async def test_a_registry_that_never_answers_costs_the_time_of_one_start(op: Operator, hub: Registry) -> None:
    hub.troubles["silent"] = "silent"
    name = hub.serve("silent", image_of(archive(1 << 10)))
    mute = ServiceSpec("mute", name)
    fine = ServiceSpec("fine", "localhost/busybox:latest", command=("sleep", "1000"))
    async with direct(op, run_seconds=4) as at:
        first, second = await at.do(at.start(mute, "w1"), at.start(fine, "w1"))
    assert (first.action.replica.slot.service, first.error) == ("fine", "")
    assert second.error.startswith("podman: podman on w1 did not end within 4 s and was ended; ")
    assert f"if it was still fetching {name}, its registry does not answer or is slow" in second.error
    assert f"`orch run w1 -b -- podman pull {name}`" in second.error
    assert not second.lost
    assert "GET /v2/silent/manifests/1" in hub.asked


def test_a_registry_without_tls_is_named_as_that(op: Operator, hub: Registry) -> None:
    name = hub.serve("app", image_of(archive(1 << 10)))
    orch("run", "all", "-b", "--", f": >{ALLOWED}", env=op.lab.env)
    said = op.apply(PULLED.format(image=name, pull="missing", round=1), status=1).stderr
    told = re.findall(r"^orch: (w\d): shop/web\.\d: .*; the registry speaks plain HTTP, and \1 wants", said, re.M)
    assert sorted(told) == ["w1", "w2", "w3"]
