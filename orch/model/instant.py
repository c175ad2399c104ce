"""Times."""

from __future__ import annotations

from typing import TypeAlias

Instant: TypeAlias = float
"""Seconds since 1970-01-01 UTC."""
