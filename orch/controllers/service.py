"""A service as the planner works with it: what its replicas need and carry, found out once for all of them."""

from __future__ import annotations

import msgspec

from orch.model.container import VolumeMount
from orch.model.node import Container
from orch.model.plan import Desired
from orch.model.replica import Replica, Slot
from orch.model.spec import ServiceSpec, StackSpec
from orch.model.volume import FileSpec, VolumeSpec
from orch.scheduler.claim import Need, ServiceName


class Service(msgspec.Struct, frozen=True):
    """`hash` is the spec's; `volumes` and `files` are those of the stack that the spec names."""

    stack: str
    spec: ServiceSpec
    hash: str
    need: Need
    volumes: tuple[VolumeSpec, ...] = ()
    files: tuple[FileSpec, ...] = ()

    @property
    def is_global(self) -> bool:
        return self.spec.mode in {"global", "global-job"}

    @property
    def is_job(self) -> bool:
        return self.spec.mode in {"replicated-job", "global-job"}

    def has_ended(self, container: Container | None) -> bool:
        """A job that ran to its end, well or not, needs nothing any more: neither room nor ports."""
        return self.is_job and container is not None and container.state == "exited"

    def replica(self, ident: str, slot: Slot, attempt: int, node: str) -> Replica:
        return Replica(
            ident, slot, attempt, node, self.hash, self.need.request, self.spec.stop_grace, ports=self.need.ports
        )


def services_of(desired: Desired) -> dict[ServiceName, Service]:
    """Sorted by stack and service."""
    return {
        (stack.name, spec.name): service_of(stack, spec)
        for stack in sorted(desired.stacks, key=lambda s: s.name)
        for spec in sorted(stack.services, key=lambda s: s.name)
    }


def service_of(stack: StackSpec, spec: ServiceSpec) -> Service:
    named = {mount.volume for mount in spec.mounts if isinstance(mount, VolumeMount)} - {""}
    volumes = tuple(volume for volume in stack.volumes if volume.name in named)
    wanted_files = {(file.source, file.digest) for file in spec.files}
    need = Need(
        (stack.name, spec.name),
        spec.request,
        spec.placement,
        ports=tuple(port for port in spec.ports if port.mode == "host" and port.published),
        # A global service has a volume of its own on each node.
        volumes=() if spec.mode in {"global", "global-job"} else tuple(sorted(_homed(named, volumes))),
        external=tuple(sorted(volume.name for volume in volumes if volume.local and volume.external)),
        image=spec.image,
    )
    files = tuple(file for file in stack.files if (file.key, file.digest) in wanted_files)
    return Service(stack.name, spec, spec.hash, need, volumes, files)


def _homed(named: set[str], volumes: tuple[VolumeSpec, ...]) -> set[str]:
    """Of a volume of which the stack says nothing, the safe thing is believed: that its data lies on one node."""
    return named - {volume.name for volume in volumes if volume.external or not volume.local}
