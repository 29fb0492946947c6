"""The one place for the check `tcp`: something listens. It misses a stopped process and a dead database (`dicom.md` §7)."""

from __future__ import annotations

from gurney.health.checks.core import Check


class Tcp(Check):
    """Well as soon as the connection stands."""

    def connected(self, now: float) -> bytes:
        super().connected(now)
        self._well(now)
        return b""
