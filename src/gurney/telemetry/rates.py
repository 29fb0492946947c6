"""The one place for rates: events per second over a window that slides, time an argument."""

from __future__ import annotations


class Rate:
    """Counts in a ring of equal slots; memory and cost do not depend on how much happens."""

    __slots__ = ("_born", "_counts", "_slot", "_width")

    def __init__(self, now: float, window: float = 10.0, slots: int = 10) -> None:
        """`window` seconds are remembered, in `slots` steps; `now` in seconds, monotonic, as everywhere here."""
        self._width = window / slots
        self._counts = [0] * slots
        self._slot = int(now / self._width)
        self._born = now

    def add(self, now: float, count: int = 1) -> None:
        """`count` more events at `now`."""
        if int(now / self._width) > self._slot:
            self._turn(now)
        self._counts[self._slot % len(self._counts)] += count

    def per_second(self, now: float) -> float:
        """Events per second over the window, or over the time since the start while that is shorter (at least one slot)."""
        self._turn(now)
        whole = (len(self._counts) - 1) * self._width + (now - self._slot * self._width)
        lived = max(now - self._born, self._width)
        return sum(self._counts) / max(min(whole, lived), self._width)

    def _turn(self, now: float) -> None:
        slot = int(now / self._width)
        if slot <= self._slot:  # the clock is monotonic; an older time counts into the newest slot
            return
        size = len(self._counts)
        for gone in range(self._slot + 1, min(slot, self._slot + size) + 1):
            self._counts[gone % size] = 0
        self._slot = slot
