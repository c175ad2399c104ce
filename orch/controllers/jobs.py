"""Jobs: one-off containers. Each is a stack of its own, with one service of one replica that is never started again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from orch.controllers.status import ReplicaStatus
from orch.model.images import complete_image
from orch.model.plan import Desired, Plan
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec, StackSpec

PREFIX = "job-"
SERVICE = "job"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def job_stack(
    name: str, image: str, command: tuple[str, ...], environment: Mapping[str, str], resources: Resources
) -> StackSpec:
    """What the job asks for is set aside for it, and it gets no more. An empty `command` leaves the image's own.

    Raises ValueError for a name that cannot be one.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot name a job: use up to 40 of a-z, 0-9 and -")
    service = ServiceSpec(
        name=SERVICE,
        image=complete_image(image),
        command=command or None,
        environment=dict(sorted(environment.items())),
        request=resources,
        limit=resources,
        restart=RestartPolicy("no"),
        mode="replicated-job",
    )
    return StackSpec(f"{PREFIX}{name}", (service,))


def is_job(stack: StackSpec) -> bool:
    return stack.name.startswith(PREFIX) and [service.name for service in stack.services] == [SERVICE]


def jobs_of(desired: Desired, rows: Iterable[ReplicaStatus]) -> list[ReplicaStatus]:
    """The rows that are about jobs: also about those that were removed and whose node does not answer."""
    others = {stack.name for stack in desired.stacks if not is_job(stack)}
    return [row for row in rows if row.stack.startswith(PREFIX) and row.service == SERVICE and row.stack not in others]


def only(plan: Plan, stack: str) -> Plan:
    """What of the plan concerns one stack."""
    return msgspec.structs.replace(
        plan,
        actions=tuple(action for action in plan.actions if action.replica.slot.stack == stack),
        refusals=tuple(refusal for refusal in plan.refusals if refusal.object.startswith(f"{stack}/")),
        volumes=tuple(volume for volume in plan.volumes if volume.stack == stack),
    )


def read_environment(lines: Iterable[str], own: Mapping[str, str]) -> dict[str, str]:
    """`KEY=VALUE` a line; a `KEY` alone is taken from `own`, if it is there. Comments and empty lines are skipped.

    Raises ValueError.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        key, equals, value = line.removesuffix("\n").removesuffix("\r").partition("=")
        key = key.strip()
        if not key or key.startswith("#"):
            if equals and not key:
                raise ValueError(f"line {number}: expected KEY=VALUE, and the key is missing")
            continue
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) is None:
            raise ValueError(f"line {number}: {key!r} cannot name a variable of the environment")
        if equals:
            found[key] = value
        elif key in own:
            found[key] = own[key]
    return found
