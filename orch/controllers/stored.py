"""Objects as they are stored, for `orch get`: plain data, without what is in secrets and what is as it is by default,
and file modes as people write them. Pure."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from orch.model.plan import Desired
from orch.model.spec import StackSpec, without_defaults
from orch.model.volume import FileSpec

HIDDEN = "(not shown)"


def stored_objects(desired: Desired, kind: str) -> dict[str, Any]:
    """Name → object, sorted. `kind`: stack, service, replica, node or volume."""
    match kind:
        case "stack":
            found = {stack.name: _stack(stack) for stack in desired.stacks}
        case "service":
            found = {
                f"{stack['name']}/{service['name']}": service
                for stack in map(_stack, desired.stacks)
                for service in stack["services"]
            }
        case "replica":
            found = {f"{replica.slot}": without_defaults(replica) for replica in desired.replicas}
        case "node":
            found = {node.name: without_defaults(node) for node in desired.nodes}
        case _:
            found = {volume.name: without_defaults(volume) for volume in desired.volumes}
    return found


def _stack(stack: StackSpec) -> Any:
    """The hash of a secret is hidden too: from that of a short one it could be guessed."""
    plain: dict[str, Any] = without_defaults(msgspec.structs.replace(stack, files=()))
    secrets = {(file.key, file.digest) for file in stack.files if file.kind == "secret"}
    for service in plain["services"]:
        for mount in service.get("files", ()):
            if (mount["source"], mount["digest"]) in secrets:
                mount["digest"] = HIDDEN
        for mount in (*service.get("files", ()), *service.get("mounts", ())):
            if "mode" in mount:
                mount["mode"] = f"{mount['mode']:04o}"
    if stack.files:
        plain["files"] = [_file(file) for file in stack.files]
    return plain


def _file(file: FileSpec) -> dict[str, str]:
    if file.kind == "secret":
        return {"kind": file.kind, "key": file.key, "content": HIDDEN}
    try:
        return {"kind": file.kind, "key": file.key, "content": file.content.decode()}
    except UnicodeDecodeError:
        return {"kind": file.kind, "key": file.key, "base64": base64.b64encode(file.content).decode()}
