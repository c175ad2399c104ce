"""A model of a fleet on which a plan can be carried out: what would run and what would be recorded afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import msgspec

from orch.model.container import Port
from orch.model.node import Container, NodeObservation, Reachable
from orch.model.plan import Adopt, Desired, Forget, Plan, Remove, Run
from orch.model.replica import Replica

Observed = dict[str, NodeObservation]


class Impossible(Exception):
    """No fleet could do this."""


def apply_plan(plan: Plan, desired: Desired, observed: Mapping[str, NodeObservation]) -> tuple[Desired, Observed]:
    """Carry out every action of the plan. Raises Impossible for one that no fleet could do."""
    records = {(r.node, r.id): r for r in desired.replicas}
    fleet = dict(observed)
    for action in plan.actions:
        key = (action.replica.node, action.replica.id)
        match action:
            case Run(replica, spec):
                _start(fleet, replica, spec.image)
                _open_ports(replica, _living(fleet, replica.node, records.values()))
                records[key] = replica
            case Adopt(replica):
                _find(fleet, replica)
                records[key] = replica
            case Remove(replica, container):
                _stop(fleet, replica.node, container)
                records.pop(key, None)
            case Forget():
                del records[key]
    if known := {volume.name for volume in desired.volumes} & {volume.name for volume in plan.volumes}:
        raise Impossible(f"{known} have a home already")
    after = msgspec.structs.replace(
        desired, replicas=tuple(records.values()), volumes=(*desired.volumes, *plan.volumes)
    )
    return after, fleet


def container_of(replica: Replica, image: str) -> Container:
    """What podman would report of a replica that has just been started."""
    return Container(
        id=f"{replica.node}-{replica.id}",
        name=replica.container,
        replica=replica.id,
        slot=replica.slot,
        attempt=replica.attempt,
        spec_hash=replica.spec_hash,
        image=image,
        state="running",
    )


def _answering(fleet: Observed, node: str) -> Reachable:
    observation = fleet.get(node)
    if not isinstance(observation, Reachable) or observation.problem:
        raise Impossible(f"{node} can do nothing")
    return observation


def _start(fleet: Observed, replica: Replica, image: str) -> None:
    node = _answering(fleet, replica.node)
    if any(c.name == replica.container for c in node.containers):
        raise Impossible(f"{replica.node} has a container {replica.container} already")
    containers = (*node.containers, container_of(replica, image))
    fleet[replica.node] = msgspec.structs.replace(node, containers=containers)


def _living(fleet: Observed, node: str, records: Iterable[Replica]) -> list[Replica]:
    """Those on the node whose container has not ended: what has, holds no port."""
    ended = {c.replica for c in _answering(fleet, node).containers if c.state == "exited"}
    return [record for record in records if record.node == node and record.id not in ended]


def _open_ports(replica: Replica, others: Iterable[Replica]) -> None:
    for other in others:
        for port, taken in itertools.product(replica.ports, other.ports):
            if conflict(port, taken):
                raise Impossible(f"{replica.node} has port {port.published} open for {other.slot}")


def conflict(port: Port, other: Port) -> bool:
    """Whether a node cannot open both."""
    return (
        (port.protocol, port.published) == (other.protocol, other.published)
        and port.published != 0
        and (port.address == other.address or "" in (port.address, other.address))
    )


def _stop(fleet: Observed, name: str, container: str) -> None:
    node = _answering(fleet, name)
    left = tuple(c for c in node.containers if c.id != container)
    if len(left) != len(node.containers) - 1:
        raise Impossible(f"{name} has no container {container}")
    fleet[name] = msgspec.structs.replace(node, containers=left)


def _find(fleet: Observed, replica: Replica) -> None:
    if all(c.replica != replica.id for c in _answering(fleet, replica.node).containers):
        raise Impossible(f"{replica.node} has no container of {replica.id} to adopt")
