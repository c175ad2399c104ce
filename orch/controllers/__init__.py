"""Decisions: what is wanted and what was seen → what to do. Pure functions; see docs/design/loop.md."""
