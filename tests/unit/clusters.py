"""Small clusters for tests: a shop whose replicas run on w1, w2, … with 4 cores and 4g each."""

from __future__ import annotations

from collections.abc import Sequence

from orch.controllers.cluster import plan_cluster
from orch.controllers.course import ONE_COMMAND, Course
from orch.model.node import Container, ContainerState, Facts, NodeObservation, NodeSpec, Reachable, Unreachable
from orch.model.plan import Desired, Plan
from orch.model.replica import Replica, Slot, replica_id
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec

CLUSTER = "prod"
MIB, GIB = 1 << 20, 1 << 30
ALL, SMALL, NOTHING = Resources(4000, 4 * GIB), Resources(100, 64 * MIB), Resources()
ALWAYS = RestartPolicy("always")


def node(name: str, *, schedulable: bool = True, reserved: Resources = NOTHING) -> NodeSpec:
    return NodeSpec(name, f"{name}.example", schedulable=schedulable, reserved=reserved)


def answers(*containers: Container, capacity: Resources = ALL, problem: str = "") -> Reachable:
    return Reachable(1000.0, Facts(capacity, podman="5.4.2"), containers, problem)


def silent(reason: str = "connection refused") -> Unreachable:
    return Unreachable(1000.0, reason)


def web(image: str = "nginx:1", *, replicas: int = 1, request: Resources = SMALL) -> ServiceSpec:
    return ServiceSpec("web", image, replicas=replicas, request=request, restart=ALWAYS)


def shop(*services: ServiceSpec) -> StackSpec:
    return StackSpec("shop", services)


def replica_of(
    spec: ServiceSpec,
    node: str,
    *,
    number: int = 1,
    attempt: int = 1,
    stack: str = "shop",
    cluster: str = CLUSTER,
    planned_at: float = 0.0,
    failures: int = 0,
) -> Replica:
    slot = Slot(stack, spec.name, number)
    ident = replica_id(cluster, slot, attempt)
    return Replica(ident, slot, attempt, node, spec.hash, spec.request, spec.stop_grace, (), planned_at, failures)


def container_of(
    replica: Replica, spec: ServiceSpec, state: ContainerState = "running", *, exit_code: int = 0, oom: bool = False
) -> Container:
    """As it stands on the replica's node; its id is `NODE-NUMBER-ATTEMPT`."""
    return Container(
        id=f"{replica.node}-{replica.slot.number}-{replica.attempt}",
        name=replica.container,
        replica=replica.id,
        slot=replica.slot,
        attempt=replica.attempt,
        spec_hash=spec.hash,
        image=spec.image,
        state=state,
        exit_code=exit_code,
        oom_killed=oom,
        started_at=900.0 if state != "created" else None,
        addresses=("10.88.0.7",),
    )


def plan(
    observed: dict[str, NodeObservation],
    *,
    stacks: Sequence[StackSpec] = (),
    replicas: Sequence[Replica] = (),
    nodes: Sequence[NodeSpec] | None = None,
    now: float = 0.0,
    course: Course = ONE_COMMAND,
) -> Plan:
    """The plan for the cluster; its nodes are those observed unless `nodes` says more of them."""
    specs = tuple(nodes) if nodes is not None else tuple(node(name) for name in observed)
    desired = Desired(CLUSTER, specs, tuple(stacks), tuple(replicas))
    return plan_cluster(desired, observed, now=now, course=course)
