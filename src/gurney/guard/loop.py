"""The one place for the guard's loop: descriptors and timers with plain callbacks, one thread."""

from __future__ import annotations

import heapq
import itertools
import selectors
import time
from collections.abc import Callable

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Timer:
    """A callback that is due at a time; `cancel` makes it none."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """It will not be called any more."""
        self.call = None


class Loop:
    """Runs until `stop`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._running = True

    def watch(self, fd: int, events: int, call: Callable[[int], None]) -> None:
        """Call with the events (READ, WRITE) whenever they are there; a second watch of the descriptor replaces the first."""
        if fd in self._selector.get_map():
            self._selector.modify(fd, events, call)
        else:
            self._selector.register(fd, events, call)

    def unwatch(self, fd: int) -> None:
        """Watch it no longer; before it is closed."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, in `seconds`."""
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def stop(self) -> None:
        """Let `run` return after the callbacks at hand."""
        self._running = False

    def run(self) -> None:
        """Wait and call, until `stop`."""
        while self._running:
            for key, events in self._selector.select(self._wait()):
                if key.fd in self._selector.get_map():  # a callback before this one may have unwatched it
                    key.data(events)
            self._due(time.monotonic())

    def close(self) -> None:
        """Close the loop's own descriptor."""
        self._selector.close()

    def _wait(self) -> float | None:
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _due(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            call, timer.call = timer.call, None
            if call is not None:
                call()
