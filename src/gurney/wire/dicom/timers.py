"""The one place for the deadlines of the DICOM upper layer, in seconds (dicom.md §2), and for the pace a peer must keep."""

from __future__ import annotations

from dataclasses import dataclass

ARTIM = 10.0  # from accept to a whole A-ASSOCIATE-RQ, and from our last word to the peer's close; bytes do not restart it (PS3.8 §9.1.5)
CONNECT = 3.0  # a transport connection to a member
ASSOCIATE = 5.0  # from our A-ASSOCIATE-RQ to AC or RJ
RELEASE = 5.0  # from our A-RELEASE-RQ to the RP
STALL = 60.0  # no byte inside a message
RATE_WINDOW = 60.0  # over which the floor below is measured
RATE_FLOOR = 1024  # bytes a second inside a message
IDLE = 900.0  # no byte between messages of an association we accepted


@dataclass(frozen=True, slots=True)
class Timers:
    """The deadlines of one association, in seconds; `rate_floor` in bytes a second."""

    artim: float = ARTIM
    connect: float = CONNECT
    associate: float = ASSOCIATE
    release: float = RELEASE
    stall: float = STALL
    rate_window: float = RATE_WINDOW
    rate_floor: int = RATE_FLOOR
    idle: float = IDLE


class Pace:
    """How a peer keeps up on an open association: silent or slow inside a message, silent between messages."""

    __slots__ = ("_bytes", "_from", "heard", "paused", "timers")

    def __init__(self, timers: Timers, now: float) -> None:
        self.timers = timers
        self.paused = False  # our side does not read, so nothing runs
        self.restart(now)

    def restart(self, now: float) -> None:
        """Everything counts from now."""
        self.heard = now  # the last byte
        self._from = now  # of the window the rate is measured over
        self._bytes = 0

    def hear(self, size: int, inside: bool, now: float) -> None:
        """`size` bytes have come; `inside`: a message was under way before them."""
        self.heard = now
        if not inside:
            self._from, self._bytes = now, 0
        self._bytes += size

    def deadline(self, inside: bool, idle: bool) -> float | None:
        """When `late` is to be asked. `idle`: silence between messages counts too."""
        if self.paused:
            return None
        if inside:
            return min(self.heard + self.timers.stall, self._from + self.timers.rate_window)
        return self.heard + self.timers.idle if idle else None

    def late(self, inside: bool, idle: bool, now: float) -> str | None:
        """ "stalled", "too-slow" or "idle" if the peer is; else None, and the next window has begun if one was over."""
        due = self.deadline(inside, idle)
        if due is None or now < due:
            return None
        if not inside:
            return "idle"
        if now >= self.heard + self.timers.stall:
            return "stalled"
        if self._bytes < self.timers.rate_floor * self.timers.rate_window:
            return "too-slow"
        self._from, self._bytes = now, 0
        return None
