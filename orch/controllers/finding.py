"""What an examination found wrong with a host."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["error", "warning", "hint"]
"""An error keeps the host from taking part, a warning costs it something, a hint is worth knowing."""

Part = Literal["everything", "containers", "the network", "health checks", "the fleet"]
"""What it is needed for."""


class Finding(msgspec.Struct, frozen=True):
    """`check` is a word that programs may rely on. `remedy` is a command for root on that host, or says what to do."""

    host: str
    level: Level
    check: str
    message: str
    remedy: str
    needed_for: Part
