"""What may be where, said anew and in another way than the scheduler says it."""

from __future__ import annotations

from orch.model.container import VolumeMount
from orch.model.node import Container, NodeSpec, Reachable
from orch.model.placement import Constraint
from orch.model.replica import Replica, Slot
from orch.model.resources import Resources
from orch.model.spec import ServiceSpec
from orch.model.volume import VolumeSpec
from tests.property.fleets import Cluster
from tests.property.model import conflict


def ready_nodes(cluster: Cluster) -> set[str]:
    return {name for name, seen in cluster.observed.items() if isinstance(seen, Reachable) and not seen.problem}


def open_nodes(cluster: Cluster) -> list[NodeSpec]:
    ready = ready_nodes(cluster)
    return [node for node in cluster.desired.nodes if node.schedulable and node.name in ready]


def meets(node: NodeSpec, constraint: Constraint) -> bool:
    values = {"node.hostname": node.name, "node.labels.zone": node.labels.get("zone", "")}
    equal = values[constraint.attribute].lower() == constraint.value.lower()
    return equal if constraint.equal else not equal


def may_stay(node: NodeSpec, spec: ServiceSpec) -> bool:
    """Its constraints are met, and no taint drives it away."""
    evicting = [
        taint
        for taint in node.taints
        if taint.effect == "NoExecute" and not any(t.tolerates(taint) for t in spec.placement.tolerations)
    ]
    return not evicting and all(meets(node, constraint) for constraint in spec.placement.constraints)


def may_come(cluster: Cluster, node: NodeSpec, spec: ServiceSpec) -> bool:
    """As far as it lies in what the node is, and not in what is on it."""
    tolerated = [taint for taint in node.taints if any(t.tolerates(taint) for t in spec.placement.tolerations)]
    return node in open_nodes(cluster) and may_stay(node, spec) and len(tolerated) == len(node.taints)


def has_place(cluster: Cluster, node: NodeSpec, spec: ServiceSpec, stack: str) -> bool:
    """Whether one replica more would break no rule on a node that it may come to."""
    there = holders(cluster, node.name)
    most = spec.placement.max_per_node
    own = [r for r in there if (r.slot.stack, r.slot.service) == (stack, spec.name)]
    return (
        spec.request.fits(free_on(cluster, node))
        and (not most or len(own) < most)
        and not any(conflict(port, taken) for r in there for port in spec.ports for taken in r.ports)
        and volumes_allow(cluster, node, spec, stack)
    )


def volumes_allow(cluster: Cluster, node: NodeSpec, spec: ServiceSpec, stack: str) -> bool:
    seen = cluster.observed[node.name]
    assert isinstance(seen, Reachable)
    for volume in volumes_of(cluster, spec, stack):
        if not volume.local:
            continue
        if volume.external:
            if seen.volumes is not None and volume.name not in seen.volumes:
                return False
        elif spec.mode not in {"global", "global-job"} and home_of(cluster, volume.name) not in {None, node.name}:
            return False
    return True


def home_of(cluster: Cluster, volume: str) -> str | None:
    """Where it is recorded, or else the only node that has it."""
    recorded = [v.node for v in cluster.desired.volumes if v.name == volume]
    having = [
        name
        for name, seen in cluster.observed.items()
        if isinstance(seen, Reachable) and seen.volumes and volume in seen.volumes
    ]
    return recorded[0] if recorded else having[0] if len(having) == 1 else None


def volumes_of(cluster: Cluster, spec: ServiceSpec, stack: str) -> list[VolumeSpec]:
    (found,) = (s for s in cluster.desired.stacks if s.name == stack)
    named = [mount.volume for mount in spec.mounts if isinstance(mount, VolumeMount)]
    return [volume for volume in found.volumes if volume.name in named]


def holders(cluster: Cluster, node: str) -> list[Replica]:
    """Records that take room on a node: all but those of jobs that have ended."""
    seen = cluster.observed[node]
    containers = {c.replica: c for c in seen.containers} if isinstance(seen, Reachable) else {}
    specs = cluster.desired.services()

    def ended(replica: Replica) -> bool:
        spec = specs.get((replica.slot.stack, replica.slot.service))
        container = containers.get(replica.id)
        return spec is not None and spec.mode.endswith("-job") and container is not None and container.state == "exited"

    return [r for r in cluster.desired.replicas if r.node == node and not ended(r)]


def free_on(cluster: Cluster, node: NodeSpec) -> Resources:
    seen = cluster.observed[node.name]
    assert isinstance(seen, Reachable)
    cpus = node.capacity.millicpus or seen.facts.capacity.millicpus
    memory = node.capacity.memory or seen.facts.capacity.memory
    taken = [r.request for r in holders(cluster, node.name)]
    return Resources(
        cpus - node.reserved.millicpus - sum(r.millicpus for r in taken),
        memory - node.reserved.memory - sum(r.memory for r in taken),
    )


def numbered(cluster: Cluster) -> dict[Slot, ServiceSpec]:
    """The slots wanted of services that are not global."""
    services = cluster.desired.services().items()
    return {
        Slot(*key, number): spec
        for key, spec in services
        for number in range(1, spec.replicas + 1)
        if not spec.mode.startswith("global")
    }


def everywhere(cluster: Cluster) -> dict[tuple[str, str], ServiceSpec]:
    """The global services."""
    return {key: spec for key, spec in cluster.desired.services().items() if spec.mode.startswith("global")}


def fills(container: Container, spec: ServiceSpec) -> bool:
    """It is made from what is wanted, and it runs, or will, or has ended as its kind or its restart policy lets it."""
    if container.spec_hash != spec.hash:
        return False
    if container.state == "exited":
        succeeded, policy = container.exit_code == 0, spec.restart
        return (
            spec.mode.endswith("-job")
            or policy.condition == "no"
            or (policy.condition == "on-failure" and (succeeded or policy.attempts > 0))
        )
    return container.state in {"running", "paused", "starting"}
