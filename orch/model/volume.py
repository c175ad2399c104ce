"""Volumes, and the files of configs and secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from orch.model.container import FileKind


class VolumeSpec(msgspec.Struct, frozen=True):
    """A stack's volume. `name` is what podman calls it; `external`: somebody else makes it and it must be there."""

    key: str
    name: str
    external: bool = False
    driver: str = ""
    options: Mapping[str, str] = msgspec.field(default_factory=dict)
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def local(self) -> bool:
        """Its data lies on one node: not on a network file system, nor with another driver."""
        return self.driver in {"", "local"} and self.options.get("type", "") not in {"nfs", "nfs4", "cifs", "ceph"}


class Volume(msgspec.Struct, frozen=True, order=True):
    """The record that a local volume has its data on `node`, which binds all replicas that use it to that node. It
    outlasts its stack."""

    name: str
    node: str
    stack: str = ""


class FileSpec(msgspec.Struct, frozen=True):
    """A config or secret of a stack, with what is in it."""

    kind: FileKind
    key: str
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256 in hex. Of a secret, nobody is shown it: short ones could be guessed."""
        return hashlib.sha256(self.content).hexdigest()

    def __repr__(self) -> str:
        return f"FileSpec({self.kind} {self.key}, {len(self.content)} bytes)"
