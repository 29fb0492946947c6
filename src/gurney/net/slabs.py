"""The one place for receive memory: reused slabs under one budget. A slab is also the replay buffer of what it holds."""

from __future__ import annotations

from collections.abc import Callable

SLAB = 1 << 20  # bytes of one slab, the receive buffer in front
BUDGET = 256 << 20  # bytes of all slabs of a process (dicom.md §8: replay memory)
_KEPT = 16  # free slabs kept for reuse; more go back to the system


class Slab:
    """One receive buffer: `view` to receive into and to send from, `fill` where the next byte goes."""

    __slots__ = ("buffer", "fill", "view")

    def __init__(self) -> None:
        self.buffer = bytearray(SLAB)
        self.view = memoryview(self.buffer)
        self.fill = 0


class Slabs:
    """Leases slabs within `budget` bytes; who found none leaves a callback and is told when one came back."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._free: list[Slab] = []
        self._waiting: list[Callable[[], None]] = []
        self.leased = 0  # bytes

    def lease(self) -> Slab | None:
        """An empty slab, or None while the budget is spent."""
        if self.leased + SLAB > self._budget:
            return None
        self.leased += SLAB
        slab = self._free.pop() if self._free else Slab()
        slab.fill = 0
        return slab

    def give_back(self, slab: Slab) -> None:
        """Return a slab nobody sends from any more; the first who waits is told."""
        self.leased -= SLAB
        if len(self._free) < _KEPT:
            self._free.append(slab)
        if self._waiting:
            self._waiting.pop(0)()

    def when_free(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when a slab has come back."""
        self._waiting.append(callback)
