"""Planning for 1,000 nodes: 10,000 replicas from nothing, the same again, 500 more when it is nearly full."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from orch.controllers.cluster import plan_cluster
from orch.controllers.rooms import rooms
from orch.controllers.service import services_of
from orch.model.container import Port
from orch.model.node import Container, Facts, NodeObservation, NodeSpec, Reachable, Taint
from orch.model.placement import Constraint, PlacementPolicy, Toleration
from orch.model.plan import Desired, Plan, Run
from orch.model.replica import Slot
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec
from orch.scheduler.claim import Claim
from orch.scheduler.place import place
from tests.bench.report import Bar, Figure, Report

T = TypeVar("T")
NODES, SERVICES, REPLICAS, MORE = 1000, 100, 10_000, 500
GIB, MIB = 1 << 30, 1 << 20
ALWAYS = RestartPolicy("always")
POLICIES = (
    PlacementPolicy(),
    PlacementPolicy((Constraint("node.labels.disk", True, "ssd"),)),
    PlacementPolicy(spread=("node.labels.zone",)),
    PlacementPolicy(max_per_node=1),
    PlacementPolicy((Constraint("node.labels.zone", False, "z4"),), ("node.labels.zone", "node.labels.rack")),
    PlacementPolicy((Constraint("node.platform.arch", True, "amd64"),), tolerations=(Toleration("gpu"),)),
)
REQUESTS = (Resources(100, 128 * MIB), Resources(250, 256 * MIB), Resources(500, GIB), Resources(50, 64 * MIB))


def measure(rounds: int = 5) -> Report:
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, seconds in _round().items():
            figures.setdefault(name, []).append(seconds * 1000)
    memory = _peak_memory()
    made = [Figure(name, "ms", tuple(values)) for name, values in figures.items()]
    empty, _, again, more, _ = made
    return Report(
        "schedule",
        [*made, Figure("peak memory of a process that plans it all", "MiB", (memory,))],
        [
            Bar(f"{REPLICAS} replicas onto {NODES} nodes, s", empty.median / 1000, 1.0),
            Bar(f"{MORE} more onto a nearly full fleet, s", more.median / 1000, 0.2),
            Bar("planned again with nothing to do, s", again.median / 1000, 0.1),
            Bar("peak memory, MiB", memory, 300),
        ],
    )


def _round() -> dict[str, float]:
    """Seconds by what was done."""
    desired = Desired("bench", _nodes(), (_stack("shop", SERVICES, REPLICAS, 8000),))
    observed: dict[str, NodeObservation] = {node.name: _observation() for node in desired.nodes}
    first, whole = _timed(lambda: plan_cluster(desired, observed, now=0.0))
    _check(whole, REPLICAS)
    placing, _ = _timed(lambda: _place(desired, observed))
    running, seen = _carried_out(desired, whole)
    again, nothing = _timed(lambda: plan_cluster(running, seen, now=0.0))
    assert nothing == Plan(), nothing.actions[:3]
    filled, full = _filled(running, seen)
    larger = msgspec.structs.replace(filled, stacks=(*filled.stacks, _stack("more", 5, MORE, 9000)))
    fifth, added = _timed(lambda: plan_cluster(larger, full, now=0.0))
    _check(added, MORE)
    many = msgspec.structs.replace(filled, stacks=(*filled.stacks, _stack("many", MORE, MORE, 9000)))
    singly, separate = _timed(lambda: plan_cluster(many, full, now=0.0))
    _check(separate, MORE)
    return {
        f"{REPLICAS} replicas of {SERVICES} services, all of it": first,
        "… of that, placing alone": placing,
        "planned again with nothing to do": again,
        f"{MORE} more of 5 services, nearly full": fifth,
        f"{MORE} more of {MORE} services, nearly full": singly,
    }


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds: one core, whatever else runs on the machine."""
    gc.collect()
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def _place(desired: Desired, observed: dict[str, NodeObservation]) -> None:
    claims = [
        Claim(Slot(*name, number), service.need)
        for name, service in services_of(desired).items()
        for number in range(1, service.spec.replicas + 1)
    ]
    place(claims, rooms(desired.nodes, observed, ()))


def _nodes() -> tuple[NodeSpec, ...]:
    return tuple(
        NodeSpec(
            f"n{number:04}",
            f"n{number:04}.example",
            labels={
                "zone": f"z{number % 5}",
                "rack": f"r{number % 40}",
                "disk": "ssd" if number % 3 else "hdd",
            },
            taints=(Taint("gpu", "NoSchedule"),) if number % 20 == 0 else (),
        )
        for number in range(NODES)
    )


def _observation() -> Reachable:
    images = tuple(f"registry.example/app{number}:1" for number in range(20))
    return Reachable(1.0, Facts(Resources(4000, 16 * GIB), arch="x86_64", podman="5.4.2"), images=images, volumes=())


def _stack(name: str, services: int, replicas: int, port: int) -> StackSpec:
    return StackSpec(
        name,
        tuple(
            ServiceSpec(
                f"app{number:03}",
                f"registry.example/app{number}:1",
                replicas=replicas // services,
                request=REQUESTS[number % len(REQUESTS)],
                restart=ALWAYS,
                environment={f"VARIABLE_{i}": "a value of some length" for i in range(10)},
                ports=(Port(80, port + number, mode="host"),) if number % 10 == 0 else (),
                placement=POLICIES[number % len(POLICIES)],
            )
            for number in range(services)
        ),
    )


def _check(plan: Plan, replicas: int) -> None:
    assert plan.refusals == (), plan.refusals[:3]
    assert len(plan.actions) == replicas


def _carried_out(desired: Desired, plan: Plan) -> tuple[Desired, dict[str, NodeObservation]]:
    containers: dict[str, list[Container]] = {node.name: [] for node in desired.nodes}
    replicas = [action.replica for action in plan.actions if isinstance(action, Run)]
    for replica in replicas:
        containers[replica.node].append(
            Container(
                replica.id,
                replica.container,
                replica.id,
                replica.slot,
                replica.attempt,
                replica.spec_hash,
                "",
                "running",
            )
        )
    observed: dict[str, NodeObservation] = {
        node: msgspec.structs.replace(_observation(), containers=tuple(there)) for node, there in containers.items()
    }
    return msgspec.structs.replace(desired, replicas=tuple(replicas)), observed


def _filled(desired: Desired, observed: dict[str, NodeObservation]) -> tuple[Desired, dict[str, NodeObservation]]:
    """The nodes shrunk: four of five have 0.04 cores left, too little for anyone, the others one core."""
    used: dict[str, Resources] = {node.name: Resources() for node in desired.nodes}
    for replica in desired.replicas:
        used[replica.node] += replica.request
    nodes = tuple(
        msgspec.structs.replace(node, capacity=used[node.name] + Resources(1000 if i % 5 == 1 else 40, 2 * GIB))
        for i, node in enumerate(desired.nodes)
    )
    return msgspec.structs.replace(desired, nodes=nodes), observed


def _peak_memory() -> float:
    """MiB, of a process of its own."""
    program = "from tests.bench.schedule import print_peak; print_peak()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def print_peak() -> None:
    _round()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
