"""What the readers of services have at hand besides the document."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from orch.located import Located
from orch.stackfile.load import Scope
from orch.stackfile.notices import Notices


class Reading(msgspec.Struct, frozen=True):
    """`volumes`, `networks`: what podman and the fleet call those that the stack declares, by key. `services`: the
    keys of those whose profiles are enabled."""

    scopes: Mapping[str, Scope]
    notices: Notices
    volumes: Mapping[str, str] = {}
    networks: Mapping[str, str] = {}
    services: Collection[str] = ()

    def folder(self, place: Located) -> Path:
        """Where relative paths that stand at this place begin."""
        return self.scopes[place.file].folder

    def variables(self, place: Located) -> Mapping[str, str]:
        return self.scopes[place.file].variables

    def note(self, place: Located, kind: str, message: str) -> None:
        self.notices.add(place, kind, message)
