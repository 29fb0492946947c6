"""The one place for receive memory: reused slabs under one budget. A slab is also the replay buffer of what it holds."""

from __future__ import annotations

import mmap
from collections.abc import Callable

from gurney.config import limits

SLAB = limits.RECEIVE_FRONT  # bytes of one slab, the receive buffer in front
BUDGET = limits.REPLAY_MEMORY  # bytes of all slabs of a process (dicom.md §8: replay memory)
SMALL = 256 << 10  # bytes of one while over half of the budget is leased: many slow senders then hold little, and none is left without
SPARE = 32 << 20  # bytes beyond the budget for whoever is between messages: requests are read and C-ECHO answered whatever objects hold
KEPT = 16 << 20  # bytes of free slabs of a size that are kept for reuse whether anybody needs them or not


class Slab:
    """One receive buffer: `view` to receive into and to send from, `fill` where the next byte goes.

    `holders` counts who needs it: whoever receives into it, and every run of an object that may be sent from it (again).
    """

    __slots__ = ("_slabs", "fill", "holders", "size", "view")

    def __init__(self, slabs: Slabs, size: int) -> None:
        self._slabs = slabs
        self.size = size
        self.view = memoryview(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))  # pages cost memory only where bytes came
        self.fill = 0
        self.holders = 0

    def give_back(self) -> None:
        """One holder less. Without any it is free again, and the first who waits for memory is told."""
        self.holders -= 1
        if not self.holders:
            self._slabs.freed(self)


class Slabs:
    """Leases slabs within `budget` bytes, and `spare` more between messages; who found none is told when one came back."""

    def __init__(self, budget: int = BUDGET, spare: int = SPARE) -> None:
        self._budget = budget
        self._spare = spare
        self._free: dict[int, list[Slab]] = {SLAB: [], SMALL: []}
        self._least = {SLAB: 0, SMALL: 0}  # of them since the last `rest`: so many nobody needed
        self._waiting: dict[Callable[[], None], None] = {}  # in order; each once
        self.leased = 0  # bytes
        self.shared_at = float("-inf")  # when an object smaller than a slab was last answered, on the loop's clock

    @property
    def short(self) -> bool:
        """Somebody waits for memory."""
        return bool(self._waiting)

    def lease(self, between: bool = False) -> Slab | None:
        """An empty slab with one holder, or None while the budget is spent; `between` messages, and the spare bytes too."""
        size = SLAB if self.leased + SLAB <= self._budget // 2 else SMALL
        if self.leased + size > self._budget + (self._spare if between else 0):
            return None
        self.leased += size
        free = self._free[size]
        slab = free.pop() if free else self._fresh(size)
        if len(free) < self._least[size]:
            self._least[size] = len(free)
        slab.fill = 0
        slab.holders = 1
        return slab

    def _fresh(self, size: int) -> Slab:
        """One more: free ones of the other size make room for it, so that what is leased and what lies ready stay within the budget."""
        other = SMALL if size == SLAB else SLAB
        if self.leased + len(self._free[other]) * other > self._budget:
            del self._free[other][: -(-size // other)]
            self._least[other] = min(self._least[other], len(self._free[other]))
        return Slab(self, size)

    def freed(self, slab: Slab) -> None:
        """Nobody holds `slab` any more."""
        self.leased -= slab.size
        self._free[slab.size].append(slab)
        if self._waiting:
            callback = next(iter(self._waiting))
            del self._waiting[callback]
            callback()

    def rest(self) -> None:
        """What nobody has needed since the last call goes back to the system, but for KEPT. Called every few seconds.

        While large objects flow their memory stays: fresh pages cost more than the copy into them.
        """
        for size, free in self._free.items():
            surplus = min(self._least[size], len(free) - KEPT // size)
            if surplus > 0:
                del free[:surplus]  # the coldest
            self._least[size] = len(free)

    def when_free(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when a slab has come back; asked twice it is called once."""
        self._waiting[callback] = None

    def no_longer(self, callback: Callable[[], None]) -> None:
        """It waits no more: what comes back is told to the next."""
        self._waiting.pop(callback, None)
