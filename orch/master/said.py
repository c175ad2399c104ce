"""The end of what a command says, for complaints."""

from __future__ import annotations

_KEPT = 4000


class Said:
    """The end of what a command says."""

    def __init__(self) -> None:
        self._text = bytearray()

    def take(self, data: bytes) -> None:
        self._text += data
        del self._text[:-_KEPT]

    def __str__(self) -> str:
        return self._text.decode(errors="replace").strip()
