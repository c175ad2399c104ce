"""The whole picture at one time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orch.model.fence import Fence
from orch.model.node import NodeObservation
from orch.model.plan import Desired


class View(msgspec.Struct, frozen=True):
    """What is wanted and what was seen. `fence` is what the look left on the nodes, for what follows from it; None
    when it only looked."""

    desired: Desired
    observed: Mapping[str, NodeObservation]
    fence: Fence | None = None
