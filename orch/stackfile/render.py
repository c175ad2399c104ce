"""The other way round: a stack as one Compose file in long forms, sorted, that reads as the same stack.

Contents of secrets are not shown, nor are their digests: a secret is printed with where it comes from, as a config from
a file or a variable is, so what is printed means the same as long as those stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

import yaml

from orch.model.spec import NetworkSpec, StackSpec
from orch.model.volume import FileSpec, VolumeSpec
from orch.stackfile.compose import StackFile
from orch.stackfile.files import Origin
from orch.stackfile.render_service import render_service

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"


def render_stack(stack: StackFile) -> str:
    """YAML."""
    return str(yaml.dump(stack_document(stack), Dumper=_Dumper, allow_unicode=True, width=120, sort_keys=True))


def stack_document(stack: StackFile) -> dict[str, Plain]:
    """The same as plain values, for JSON."""
    spec = stack.spec
    document: dict[str, Plain] = {
        "name": spec.name,
        "services": {service.name: render_service(service, keys_of(spec)) for service in spec.services},
        "volumes": {volume.key: _volume(volume) for volume in spec.volumes},
        "networks": {network.key: _network(network) for network in spec.networks},
    }
    for kind in ("config", "secret"):
        document[f"{kind}s"] = {
            file.key: _file(file, stack.origins[file.kind, file.key]) for file in spec.files if file.kind == kind
        }
    return {key: _escaped(value) for key, value in sorted(document.items()) if value}


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stand as such, and lists are set in."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def keys_of(spec: StackSpec) -> Mapping[tuple[str, str], str]:
    """The keys of volumes and networks by what podman and the fleet call them."""
    named = [("volume", v.name, v.key) for v in reversed(spec.volumes)]
    named += [("network", n.name, n.key) for n in reversed(spec.networks)]
    return {(kind, name): key for kind, name, key in named}


def _volume(volume: VolumeSpec) -> dict[str, Plain]:
    if volume.external:
        return {"external": True, "name": volume.name}
    return _without_empty(
        {
            "name": volume.name,
            "driver": volume.driver,
            "driver_opts": {**volume.options},
            "labels": {**volume.labels},
        }
    )


def _network(network: NetworkSpec) -> dict[str, Plain]:
    if network.external:
        return {"external": True, "name": network.name}
    return _without_empty(
        {
            "name": network.name,
            "internal": network.internal,
            "driver": network.driver,
            "driver_opts": {**network.options},
            "labels": {**network.labels},
        }
    )


def _file(file: FileSpec, origin: Origin) -> dict[str, Plain]:
    match origin.source:
        case "file" | "environment":
            return {origin.source: origin.name}
        case "content":
            return {"content": file.content.decode()}
        case other:
            assert_never(other)


def _without_empty(entries: dict[str, Plain]) -> dict[str, Plain]:
    return {key: value for key, value in entries.items() if value not in ("", False, {}, [])}


def _escaped(value: Plain) -> Plain:
    """A dollar sign in a value would begin a variable."""
    match value:
        case str():
            return value.replace("$", "$$")
        case list():
            return [_escaped(entry) for entry in value]
        case dict():
            return {key: _escaped(entry) for key, entry in value.items()}
        case _:
            return value
