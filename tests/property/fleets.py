"""Arbitrary clusters: nodes in every condition, stacks, records and containers that agree or do not."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from orch.model.container import Port, VolumeMount
from orch.model.node import (
    Container,
    ContainerState,
    Facts,
    NodeObservation,
    NodeSpec,
    Reachable,
    Taint,
    Unreachable,
)
from orch.model.placement import Constraint, PlacementPolicy, Toleration
from orch.model.plan import Desired
from orch.model.replica import Replica, Slot, replica_id
from orch.model.resources import Resources
from orch.model.spec import Mode, RestartPolicy, ServiceSpec, StackSpec
from orch.model.volume import Volume, VolumeSpec
from tests.property.model import Observed, container_of

CLUSTER = "c"
GONE = ("gone1", "gone2")
"""Nodes that have left the inventory."""

STATES: tuple[ContainerState, ...] = ("running", "created", "exited", "paused", "unknown", "starting")
POLICIES = (RestartPolicy(), RestartPolicy("always"), RestartPolicy("on-failure"), RestartPolicy("on-failure", 2))
MODES: tuple[Mode, ...] = ("replicated", "replicated", "replicated", "global", "replicated-job", "global-job")
VOLUMES = ("v", "w")
PORTS = (
    Port(80, 80, mode="host"),
    Port(81, 81, mode="host"),
    Port(80, 80, mode="host", address="10.0.0.1"),
    Port(80, 80, "udp", mode="host"),
)
CONSTRAINTS = (
    Constraint("node.labels.zone", True, "a"),
    Constraint("node.labels.zone", False, "b"),
    Constraint("node.hostname", False, "n2"),
    Constraint("node.labels.zone", True, "A"),
)
TAINTS = (Taint("gpu", "NoSchedule"), Taint("old", "NoExecute", "yes"))
_SLOTS = st.builds(
    Slot, st.sampled_from(("s", "s", "t", "old")), st.sampled_from(("a", "b")), st.sampled_from((1, 1, 2, 3))
)


class Cluster(msgspec.Struct, frozen=True):
    desired: Desired
    observed: Observed


def resources(most: int) -> st.SearchStrategy[Resources]:
    return st.builds(Resources, st.integers(0, most), st.integers(0, most))


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    nodes = tuple(draw(_node(f"n{i}")) for i in range(1, draw(st.integers(1, 6)) + 1))
    stacks = tuple(draw(_stack(name)) for name in draw(st.sampled_from(((), ("s",), ("s", "t"), ("u", "s", "t")))))
    homes = {name: draw(st.sampled_from((None, None, *(n.name for n in nodes), *GONE))) for name in VOLUMES}
    volumes = tuple(Volume(name, node) for name, node in homes.items() if node is not None)
    desired = Desired(CLUSTER, nodes, stacks, volumes=volumes)
    replicas, containers = draw(_history(desired))
    observed = {node.name: draw(_observation(containers.get(node.name, ()))) for node in nodes}
    return Cluster(msgspec.structs.replace(desired, replicas=replicas), observed)


@st.composite
def shuffled(draw: st.DrawFn, cluster: Cluster) -> Cluster:
    """The same cluster, told in another order."""
    desired = cluster.desired
    observed = {
        name: msgspec.structs.replace(seen, containers=tuple(draw(st.permutations(seen.containers))))
        if isinstance(seen, Reachable)
        else seen
        for name, seen in draw(st.permutations(list(cluster.observed.items())))
    }
    return Cluster(
        Desired(
            desired.cluster,
            tuple(draw(st.permutations(desired.nodes))),
            tuple(draw(st.permutations(desired.stacks))),
            tuple(draw(st.permutations(desired.replicas))),
            tuple(draw(st.permutations(desired.volumes))),
        ),
        observed,
    )


@st.composite
def _node(draw: st.DrawFn, name: str) -> NodeSpec:
    return NodeSpec(
        name,
        f"address-of-{name}",
        labels=draw(st.sampled_from(({}, {"zone": "a"}, {"zone": "a", "rack": "1"}, {"zone": "b", "rack": "2"}))),
        schedulable=draw(st.sampled_from((True, True, True, False))),
        capacity=draw(st.just(Resources()) | resources(12)),
        reserved=draw(st.just(Resources()) | resources(3)),
        taints=draw(st.sampled_from(((), (), (), *((taint,) for taint in TAINTS), TAINTS))),
    )


@st.composite
def _stack(draw: st.DrawFn, name: str) -> StackSpec:
    names = draw(st.sampled_from((("a",), ("a", "b"))))
    volumes = tuple(
        VolumeSpec(volume, volume, external=kind == "external", driver="nfs" if kind == "shared" else "")
        for volume in VOLUMES
        for kind in [draw(st.sampled_from(("local", "local", "external", "shared")))]
    )
    return StackSpec(name, tuple(draw(_service(name)) for name in names), volumes)


@st.composite
def _service(draw: st.DrawFn, name: str) -> ServiceSpec:
    return ServiceSpec(
        name,
        draw(st.sampled_from(("image:1", "image:2"))),
        replicas=draw(st.integers(0, 4)),
        request=draw(resources(5)),
        restart=draw(st.sampled_from(POLICIES)),
        mode=draw(st.sampled_from(MODES)),
        ports=draw(st.sampled_from(((), (), (), *((port,) for port in PORTS), PORTS[:2]))),
        mounts=tuple(VolumeMount(f"/{v}", v) for v in draw(st.sampled_from(((), (), (), ("v",), VOLUMES)))),
        placement=draw(_policy()),
    )


@st.composite
def _policy(draw: st.DrawFn) -> PlacementPolicy:
    if draw(st.booleans()):
        return PlacementPolicy()
    return PlacementPolicy(
        constraints=tuple(draw(st.lists(st.sampled_from(CONSTRAINTS), max_size=2))),
        spread=draw(st.sampled_from(((), ("node.labels.zone",), ("node.labels.zone", "node.labels.rack")))),
        max_per_node=draw(st.sampled_from((0, 0, 1, 2))),
        tolerations=draw(st.sampled_from(((), (Toleration("gpu"),), (Toleration("gpu"), Toleration("old", "yes"))))),
    )


@st.composite
def _observation(draw: st.DrawFn, containers: tuple[Container, ...]) -> NodeObservation:
    match draw(st.sampled_from(("ready", "ready", "ready", "unreachable", "unsuitable"))):
        case "unreachable":
            return Unreachable(1.0, "connection refused")
        case condition:
            problem = "podman is missing" if condition == "unsuitable" else ""
            images = draw(st.sampled_from((None, (), ("image:1",), ("image:1", "image:2"))))
            volumes = draw(st.sampled_from((None, (), ("v",), VOLUMES)))
            return Reachable(1.0, Facts(draw(resources(12))), containers, problem, images, volumes)


@st.composite
def _history(draw: st.DrawFn, desired: Desired) -> tuple[tuple[Replica, ...], dict[str, tuple[Container, ...]]]:
    """What earlier commands, crashes and people left: records and containers, by node.

    A few slots share all of it, so that several replicas of one slot are as likely as not.
    """
    slots = draw(st.lists(_SLOTS, min_size=1, max_size=5))
    records: dict[str, Replica] = {}
    containers: dict[str, dict[str, Container]] = {}
    for _ in range(draw(st.integers(0, 8))):
        replica = draw(_replica(desired, draw(st.sampled_from(slots))))
        trace = draw(st.sampled_from(("both", "both", "record", "container")))
        if trace != "container":
            records.setdefault(replica.id, replica)
        if trace != "record":
            containers.setdefault(replica.node, {}).setdefault(replica.id, draw(_container(replica)))
    return tuple(records.values()), {node: tuple(found.values()) for node, found in containers.items()}


@st.composite
def _replica(draw: st.DrawFn, desired: Desired, slot: Slot) -> Replica:
    attempt = draw(st.integers(1, 3))
    node = draw(st.sampled_from((*(n.name for n in desired.nodes), *GONE)))
    spec = desired.services().get((slot.stack, slot.service))
    if spec is not None and draw(st.booleans()):
        digest, request = spec.hash, spec.request
        ports = tuple(port for port in spec.ports if port.mode == "host")
    else:
        digest, request, ports = "another", draw(resources(5)), draw(st.sampled_from(((), (), *((p,) for p in PORTS))))
    return Replica(replica_id(CLUSTER, slot, attempt), slot, attempt, node, digest, request, ports=ports)


@st.composite
def _container(draw: st.DrawFn, replica: Replica) -> Container:
    return msgspec.structs.replace(
        container_of(replica, "image:1"),
        state=draw(st.sampled_from((*STATES, "running", "running"))),
        exit_code=draw(st.sampled_from((0, 1))),
    )
