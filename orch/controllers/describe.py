"""All that is known of one object, and why it is as it is: for `orch describe`. Pure.

Plain dicts, lists, texts and numbers; programs get them as they are, and people a rendering of the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from orch.controllers.services import service_statuses
from orch.controllers.status import NodeStatus, ReplicaStatus, brief_reason, node_statuses, replica_statuses
from orch.model.container import BindMount, Mount, TmpfsMount, VolumeMount
from orch.model.node import Container, NodeObservation, Reachable, Unreachable
from orch.model.plan import Action, Adopt, Desired, Forget, Plan, Remove, Run
from orch.model.replica import Replica, Slot
from orch.model.resources import Resources
from orch.model.spec import ServiceSpec, StackSpec
from orch.podman.options import published

Description = dict[str, Any]

_NEXT = {Run: "start", Remove: "remove", Forget: "forget", Adopt: "adopt"}


class Seen(msgspec.Struct, frozen=True):
    """What is wanted, what the nodes said, and what a plan made just now would do."""

    desired: Desired
    observed: Mapping[str, NodeObservation]
    plan: Plan

    def replicas(self) -> list[ReplicaStatus]:
        return replica_statuses(self.desired, self.observed, self.plan.refusals)

    def container(self, replica: Replica) -> Container | None:
        node = self.observed.get(replica.node)
        found = node.containers if isinstance(node, Reachable) else ()
        return next((c for c in found if c.replica == replica.id), None)

    def next(self, *, stack: str, service: str = "", slot: Slot | None = None) -> list[str]:
        """What the next apply would do with the replicas so chosen, and what it could not do."""

        def chosen(of: Slot) -> bool:
            return of.stack == stack and service in {"", of.service} and slot in {None, of}

        told = [_action(action) for action in self.plan.actions if chosen(action.replica.slot)]
        prefix = str(slot) if slot else f"{stack}/{service}." if service else f"{stack}/"
        whole = slot is not None
        told += [
            f"cannot start {refusal.object}: {refusal.reason}"
            for refusal in self.plan.refusals
            if (refusal.object == prefix if whole else refusal.object.startswith(prefix))
        ]
        return told


def describe_stack(seen: Seen, name: str) -> Description | None:
    """None when there is no such stack, as with the others."""
    stack = next((s for s in seen.desired.stacks if s.name == name), None)
    if stack is None:
        return None
    services = [s for s in service_statuses(seen.desired, seen.observed) if s.stack == name]
    return {
        "stack": name,
        "services": [
            {"service": s.service, "image": s.image, "desired": s.desired, "running": s.running, "ready": s.ready}
            for s in services
        ],
        "volumes": _volumes_of(seen, stack),
        # Not what is in them, and of secrets not their hash either.
        "configs": sorted(file.key for file in stack.files if file.kind == "config"),
        "secrets": sorted(file.key for file in stack.files if file.kind == "secret"),
        "networks": [network.name for network in stack.networks],
        "next": seen.next(stack=name),
    }


def describe_service(seen: Seen, stack: str, name: str) -> Description | None:
    spec = seen.desired.services().get((stack, name))
    status = next(
        (s for s in service_statuses(seen.desired, seen.observed) if (s.stack, s.service) == (stack, name)), None
    )
    if spec is None or status is None:
        return None
    return {
        "service": status.name,
        "mode": spec.mode,
        "desired": status.desired,
        "running": status.running,
        "ready": status.ready,
        "updated": status.updated,
        "spec_hash": spec.hash,
        **_spec(spec),
        "replicas": [
            {
                "slot": r.slot,
                "node": r.node,
                "state": r.state,
                "ready": r.ready,
                "restarts": r.restarts,
                "why": brief_reason(r, seen.observed),
            }
            for r in seen.replicas()
            if (r.stack, r.service) == (stack, name)
        ],
        "next": seen.next(stack=stack, service=name),
    }


def describe_replica(seen: Seen, slot: Slot) -> Description | None:
    """The newest record of the slot; a slot that is wanted and empty has at least a reason."""
    rows = [
        row for row in seen.replicas() if (row.stack, row.service, row.slot) == (slot.stack, slot.service, slot.number)
    ]
    if not rows:
        return None
    row = rows[-1]
    record = next((r for r in seen.desired.replicas if r.id == row.id), None)
    container = seen.container(record) if record else None
    spec = seen.desired.services().get((slot.stack, slot.service))
    return {
        "replica": str(slot),
        "state": row.state,
        "ready": row.ready,
        "why": row.reason,
        "node": row.node,
        "image": row.image,
        **(_record(record, spec) if record else {}),
        **(_container(container) if container else {}),
        "next": seen.next(stack=slot.stack, service=slot.service, slot=slot),
    }


def describe_node(seen: Seen, name: str) -> Description | None:
    row = next((row for row in node_statuses(seen.desired, seen.observed) if row.spec.name == name), None)
    if row is None:
        return None
    return {
        **_node(row),
        "replicas_there": [
            {
                "name": r.name,
                "state": r.state,
                "ready": r.ready,
                "image": r.image,
                "why": brief_reason(r, seen.observed),
            }
            for r in seen.replicas()
            if r.node == name
        ],
        "volumes": [volume.name for volume in seen.desired.volumes if volume.node == name],
        "next": [_action(action) for action in seen.plan.actions if action.replica.node == name]
        + [r.reason.removeprefix(f"{row.reason}; ") for r in seen.plan.refusals if r.node == name],
    }


def describe_volume(seen: Seen, name: str) -> Description | None:
    """One that is on record, or that a stack names."""
    record = next((v for v in seen.desired.volumes if v.name == name), None)
    specs = [(stack.name, v) for stack in seen.desired.stacks for v in stack.volumes if v.name == name]
    if record is None and not specs:
        return None
    node = seen.observed.get(record.node) if record else None
    spec = specs[0][1] if specs else None
    return {
        "volume": name,
        "node": record.node if record else None,
        "stack": record.stack if record else specs[0][0],
        "why": _volume_reason(record is not None, spec is None or spec.local, node),
        "driver": (spec.driver if spec else "") or "local",
        "external": bool(spec and spec.external),
        "options": dict(spec.options) if spec else {},
        "used_by": [
            f"{stack}/{service}"
            for (stack, service), wanted in seen.desired.services().items()
            if any(isinstance(mount, VolumeMount) and mount.volume == name for mount in wanted.mounts)
        ],
    }


def _volume_reason(recorded: bool, local: bool, node: NodeObservation | None) -> str:
    if not recorded:
        return "no replica has used it yet" if local else "its data is on no node"
    match node:
        case None:
            return "its data is on a node that has left the inventory"
        case Unreachable(reason=reason) | Reachable(problem=reason) if reason:
            return f"its data is there, and its node cannot be used: {reason}"
        case _:
            return "its data is there, so its replicas are"


def _action(action: Action) -> str:
    return f"{_NEXT[type(action)]} {action.replica.slot} on {action.replica.node}: {action.why}"


def _volumes_of(seen: Seen, stack: StackSpec) -> list[Description]:
    where = {volume.name: volume.node for volume in seen.desired.volumes}
    return [{"volume": v.name, "node": where.get(v.name), "external": v.external} for v in stack.volumes]


def _spec(spec: ServiceSpec) -> Description:
    return {
        "image": spec.image,
        "command": list(spec.command) if spec.command is not None else None,
        "request": _amount(spec.request),
        "limit": _amount(spec.limit),
        "restart": spec.restart.condition,
        "ports": [
            f"{published(port)} on {'its node' if port.mode == 'host' else 'every node (not open yet)'}"
            for port in spec.ports
        ],
        "mounts": [_mount(mount) for mount in spec.mounts],
        "files": [f"{file.source} at {file.target}" for file in spec.files],
        "constraints": [str(constraint) for constraint in spec.placement.constraints],
        "spread_over": list(spec.placement.spread),
        "max_per_node": spec.placement.max_per_node or None,
    }


def _mount(mount: Mount) -> str:
    match mount:
        case VolumeMount():
            return f"volume {mount.volume or '(its own)'} at {mount.target}"
        case BindMount():
            return f"{mount.source} of its node at {mount.target}"
        case TmpfsMount():
            return f"memory at {mount.target}"


def _record(record: Replica, spec: ServiceSpec | None) -> Description:
    return {
        "id": record.id,
        "attempt": record.attempt,
        "request": _amount(record.request),
        "spec_hash": record.spec_hash,
        "up_to_date": spec is not None and spec.hash == record.spec_hash,
    }


def _container(container: Container) -> Description:
    return {
        "container": container.id,
        "started_at": container.started_at,
        "restarts": container.restarts,
        "health": container.health or None,
        # podman forgets it when it starts the container again.
        "last_exit": container.exit_code if container.state == "exited" else None,
        "out_of_memory": container.oom_killed,
        "addresses": list(container.addresses),
    }


def _node(row: NodeStatus) -> Description:
    return {
        "node": row.spec.name,
        "state": row.state,
        "why": row.reason,
        "schedulable": row.spec.schedulable,
        "address": row.spec.address,
        "labels": dict(row.spec.labels),
        "taints": [str(taint) for taint in row.spec.taints],
        "capacity": _amount(row.capacity) if row.capacity else None,
        "reserved": _amount(row.spec.reserved),
        "requested": _amount(row.requested),
        "used": {"cpus": None if row.cpu_used is None else row.cpu_used / 1000, "memory": row.memory_used},
        "disk_free": row.disk_free,
        "load": row.load,
        "clock_skew": row.clock_skew,
        "clock_error": row.clock_error,
        "podman": row.podman,
        "system": row.system,
        "kernel": row.kernel,
        "arch": row.arch,
        "observed_at": row.observed_at,
    }


def _amount(amount: Resources) -> Description:
    return {"cpus": amount.millicpus / 1000, "memory": amount.memory}
