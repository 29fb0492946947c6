"""The one place for the deadlines of the DICOM upper layer, in seconds, as `dicom.md` §2 sets them."""

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
