"""The one place for failpoints: named moments at which a test may kill, stop, fail or delay the process (reliability.md §2).

`Faults` is an argument of the classes that touch the world; production passes none. A plan is text:
`name=kill|stop|eio|enospc|short:N|delay:MS[@nth]`, several separated by commas.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import dataclass

from gurney.errors import InputRefused

POINTS = frozenset(
    """
    session.accepted frame.middle frame.whole object.middle object.last_pdv object.written object.synced object.folder_synced
    group.begun group.committed answer.half answer.sent release.sent lease.committed delivery.first_byte delivery.sent delivery.answered
    sent.committed checkpoint.before checkpoint.after mark.renamed purge.row_deleted purge.unlinked ballast.freed recover.opened
    recover.swept config.rendered config.validated config.renamed config.reloaded config.confirmed runtime.said
    intent.written process.started
    """.split()
)
"""Every name there is; the last two are the guard's: an intent is durable, its process runs but its pid is not yet written."""

ACTIONS = frozenset({"kill", "stop", "eio", "enospc", "short", "delay"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at a point, the `nth` time it is passed (0: every time); `amount` is bytes for short, milliseconds for delay."""

    point: str
    action: str
    amount: int = 0
    nth: int = 0


class Faults:
    """The faults of one process. Counts how often each point was passed, so that a test can see that it was."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._faults: dict[str, tuple[Fault, ...]] = {}
        for fault in faults:
            self._faults[fault.point] = (*self._faults.get(fault.point, ()), fault)
        self.passed: dict[str, int] = {}

    def hit(self, point: str) -> int | None:
        """Pass a point: may not return (kill), raises OSError (eio, enospc), or gives the number of bytes a short write is to have."""
        count = self.passed[point] = self.passed.get(point, 0) + 1
        short: int | None = None
        for fault in self._faults.get(point, ()):
            if fault.nth in (0, count):
                short = _do(fault)
        return short


def parse(text: str) -> Faults:
    """The faults a plan names. Raises InputRefused with what is wrong in it."""
    return Faults(tuple(_parse_one(one.strip()) for one in text.split(",") if one.strip()))


def _parse_one(text: str) -> Fault:
    point, equals, rest = text.partition("=")
    action, at, nth = rest.partition("@")
    word, colon, amount = action.partition(":")
    if not equals or point not in POINTS:
        raise InputRefused(f"no failpoint is called {point!r}", hint=f"the points are {', '.join(sorted(POINTS))}")
    needs = word in ("short", "delay")
    if word not in ACTIONS or needs != bool(colon) or (needs and not _number(amount)) or (at and not _number(nth)):
        raise InputRefused(f"{text!r} is no fault", hint="name=kill|stop|eio|enospc|short:N|delay:MS[@nth]")
    return Fault(point, word, int(amount) if needs else 0, int(nth) if at else 0)


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _do(fault: Fault) -> int | None:
    match fault.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "eio":
            raise OSError(errno.EIO, f"{os.strerror(errno.EIO)} (failpoint {fault.point})")
        case "enospc":
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (failpoint {fault.point})")
        case "delay":
            time.sleep(fault.amount / 1000)
        case "short":
            return fault.amount
    return None
