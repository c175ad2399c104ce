"""What `orch nodes` prints of a node."""

from __future__ import annotations

import pytest

from orch.cli.node import _COLUMNS, _data, _shown
from orch.controllers.status import NodeStatus
from orch.model.node import NodeSpec
from orch.model.resources import Resources

READY = NodeStatus(
    spec=NodeSpec("w1", "w1.example"),
    state="ready",
    capacity=Resources(4000, 4 << 30),
    requested=Resources(500, 1 << 30),
    memory_used=2 << 30,
    cpu_used=250,
    replicas=2,
    observed_at=1000.0,
    podman="5.2.5",
    reason="",
    system="Fedora Linux 41",
    kernel="6.11.4",
    arch="aarch64",
    load=0.5,
    disk_free=12 << 30,
    clock_skew=-0.0123,
    clock_error=0.004,
)
SILENT = NodeStatus(
    NodeSpec("w2", "w2.example"), "unreachable", None, Resources(), None, None, 0, 1000.0, None, "no answer"
)


def test_a_wide_row_tells_of_the_system_and_its_state() -> None:
    shown = _shown(READY)

    assert {c.title: shown[c.key] for c in _COLUMNS if c.wide} == {
        "LOAD": "0.50",
        "DISK FREE": "12g",
        "SKEW": "-0.012s",
        "SYSTEM": "Fedora Linux 41",
        "KERNEL": "6.11.4",
        "ARCH": "aarch64",
        "LABELS": "",
    }
    assert shown["podman"] == "5.2.5"


@pytest.mark.parametrize(
    ("skew", "error", "shown"),
    [
        (0.0042, 0.001, "+0.004s"),
        (0.0042, 0.02, "+0.00s"),
        (3.14, 0.2, "+3.1s"),
        (-12.4, 0.51, "-12s"),
        (7200.0, 30.0, "+7200s"),
    ],
)
def test_a_skew_is_shown_no_finer_than_it_is_known(skew: float, error: float, shown: str) -> None:
    row = NodeStatus(
        READY.spec, "ready", None, Resources(), None, None, 0, 0.0, None, "", clock_skew=skew, clock_error=error
    )

    assert _shown(row)["clock_skew"] == shown


def test_of_a_silent_node_the_rest_is_left_out() -> None:
    shown, data = _shown(SILENT), _data(SILENT)

    assert {shown[c.key] for c in _COLUMNS if c.wide} == {""}
    for key in ("system", "kernel", "arch", "load", "disk_free", "clock_skew", "clock_error", "podman"):
        assert data[key] is None


def test_programs_get_plain_numbers() -> None:
    assert _data(READY) == {
        "name": "w1",
        "state": "ready",
        "schedulable": True,
        "address": "w1.example",
        "labels": {},
        "capacity": {"cpus": 4.0, "memory": 4 << 30},
        "requested": {"cpus": 0.5, "memory": 1 << 30},
        "used": {"cpus": 0.25, "memory": 2 << 30},
        "replicas": 2,
        "observed_at": 1000.0,
        "podman": "5.2.5",
        "reason": "",
        "system": "Fedora Linux 41",
        "kernel": "6.11.4",
        "arch": "aarch64",
        "load": 0.5,
        "disk_free": 12 << 30,
        "clock_skew": -0.0123,
        "clock_error": 0.004,
    }
