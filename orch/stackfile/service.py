"""One service of a merged document → ServiceSpec."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from orch.located import Located
from orch.model.container import ContainerOptions
from orch.model.images import complete_image
from orch.model.resources import Resources
from orch.model.rollout import UpdatePolicy
from orch.model.spec import Mode, PullPolicy, ServiceSpec
from orch.model.volume import FileSpec
from orch.stackfile import values
from orch.stackfile.container import read_options
from orch.stackfile.environment import own_labels, read_environment, read_labels
from orch.stackfile.files import Kind, read_file_mounts
from orch.stackfile.health import read_healthcheck
from orch.stackfile.mounts import read_mounts
from orch.stackfile.networks import read_network_uses
from orch.stackfile.placement import read_dependencies, read_placement, read_rollback, read_update
from orch.stackfile.ports import read_ports
from orch.stackfile.reading import Reading
from orch.stackfile.resources import check_request, read_pids, read_resources, read_restart
from orch.stackfile.shapes import LATER

MAX_REPLICAS = 100_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_IMAGE = re.compile(
    r"[a-z0-9][A-Za-z0-9._-]*(?::[0-9]+(?=/))?(?:/[a-z0-9][A-Za-z0-9._-]*)*(?::[A-Za-z0-9_][A-Za-z0-9._-]*)?(?:@[a-z0-9]+:[0-9a-fA-F]+)?"
)
_MODES = ("replicated", "global", "replicated-job", "global-job")
_PULLS: Mapping[str, PullPolicy] = {
    "always": "always",
    "never": "never",
    "missing": "missing",
    "if_not_present": "missing",
}
_PULLS_LATER = re.compile(r"build|refresh|daily|weekly|every_(?:[0-9]+[wdhms])+")


def is_provided(service: Located) -> bool:
    """Whether something else than containers makes it."""
    provider = service.mapping().get("provider")
    return provider is not None and provider.value is not None


def read_service(
    name: str, place: Located, files: Mapping[tuple[Kind, str], FileSpec], reading: Reading
) -> ServiceSpec:
    """Raises InputError. `files`: those that the stack's services use."""
    entries, usual = place.mapping(), ServiceSpec("", "")
    deploy = values.section(entries, "deploy")
    image = _image(place)
    request, limit = read_resources(entries, deploy)
    check_request(place, request, limit)
    options = read_options(entries, read_pids(entries, deploy), reading)
    _check_swap(entries, options, limit)
    restart, delay, window = read_restart(entries, deploy, reading)
    mounts = read_mounts(entries, reading)
    mode = _mode(deploy)
    return ServiceSpec(
        name=name,
        image=image,
        command=values.optional(entries, "command", _words, None),
        entrypoint=values.optional(entries, "entrypoint", _words, None),
        environment=read_environment(entries, reading),
        replicas=_replicas(entries, deploy, mode, reading),
        request=request,
        limit=limit,
        restart=restart,
        stop_grace=math.ceil(
            values.optional(entries, "stop_grace_period", values.exact_seconds, Decimal(usual.stop_grace))
        ),
        pull=values.optional(entries, "pull_policy", lambda p: _pull(p, reading), usual.pull),
        labels=read_labels(entries, reading),
        mounts=mounts,
        files=read_file_mounts(entries, files, mounts),
        ports=read_ports(entries, reading),
        networks=read_network_uses(entries, reading),
        healthcheck=values.optional(entries, "healthcheck", read_healthcheck, None),
        options=options,
        mode=mode,
        restart_delay=delay,
        restart_window=window,
        service_labels=values.optional(deploy, "labels", own_labels, {}),
        placement=read_placement(entries, deploy),
        update=values.optional(deploy, "update_config", read_update, UpdatePolicy()),
        rollback=values.optional(deploy, "rollback_config", read_rollback, UpdatePolicy()),
        depends_on=values.optional(entries, "depends_on", read_dependencies, ()),
    )


def check_name(name: str, place: Located) -> None:
    if _NAME.fullmatch(name) is None:
        place.fail("a service's name is made of letters, digits, - and _, 63 at most")


def _image(place: Located) -> str:
    entries = place.mapping()
    if "image" not in entries:
        if "build" in entries:
            entries["build"].fail(
                "stands without image, and orch does not build; build the image, `orch image push` it to the nodes "
                "or push it to a registry, and name it under image:"
            )
        place.fail("has no image; orch runs images and does not build them")
    image = entries["image"].string()
    if _IMAGE.fullmatch(image) is None:
        entries["image"].expected("the name of an image like redis:7")
    return complete_image(image)


def _words(place: Located) -> tuple[str, ...]:
    if isinstance(place.value, list):
        return tuple(word.string() for word in place.value)
    return tuple(place.parsed(shlex.split))


def _mode(deploy: Mapping[str, Located]) -> Mode:
    return cast(Mode, values.optional(deploy, "mode", values.one_of(*_MODES), "replicated"))


def _replicas(entries: Mapping[str, Located], deploy: Mapping[str, Located], mode: Mode, reading: Reading) -> int:
    place = deploy.get("replicas") or entries.get("scale")
    if place is None:
        return 1
    replicas = values.whole(0, MAX_REPLICAS)(place)
    if mode.startswith("global"):
        reading.note(place, "replicas of a global service", f"counts for nothing: mode {mode} has one on every node")
        return 1
    return replicas


def _pull(place: Located, reading: Reading) -> PullPolicy:
    written = place.string()
    if _PULLS_LATER.fullmatch(written):
        kind = f"{written.partition('_')[0]} {LATER}"
        reading.note(place, f"pull {kind}", f"{kind}; images that a node has are not pulled again")
        return "missing"
    values.one_of(*_PULLS, "daily", "weekly", "every_12h")(place)
    return _PULLS[written]


def _check_swap(entries: Mapping[str, Located], options: ContainerOptions, limit: Resources) -> None:
    if options.memory_swap > 0 and options.memory_swap < (limit.memory or options.memory_swap + 1):
        what = "is less than the limit of memory" if limit.memory else "needs a limit of memory beside it"
        entries["memswap_limit"].fail(f"{what}; it counts memory and swap together")
