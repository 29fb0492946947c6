"""The one place for a member's operational word: rise and fall, damping of flapping, slow start, and *full* beside *down*.

- `fall` bad outcomes in a row make a member down, `rise` good ones up again. Checks and traffic count with the same words; good traffic
  counts towards rise at most once an interval, or one burst of objects would hide a member that flaps.
- Damping: each time a member went down within the last 10 minutes, beyond the first, doubles the rise it needs, up to eight times.
- Slow start: after it came back its weight for new studies grows from 10 % to all of it in 30 s.
- *Full* never is *down*: a member that rejects for now, or says A7xx, is alive. It is full until a check passes; good traffic ends it too
  once it has lasted 60 s. A member that was down and now rejects for now has risen: to full.
"""

from __future__ import annotations

from dataclasses import dataclass

from gurney.config.document import Check
from gurney.health.outcomes import OUTCOMES

FLAP_WINDOW = 600.0  # seconds a down is remembered for damping
DAMPING_LIMIT = 8  # the most that rise is multiplied by
SLOW_START = 30.0  # seconds from SLOW_START_FROM to the full weight
SLOW_START_FROM = 0.1
FULL_AGAIN = 60.0  # seconds after which good traffic ends full (dicom.md §4: the cap is tried upwards every 60 s)


@dataclass(frozen=True, slots=True)
class Change:
    """A member's operational word has changed; `why` is for people and holds no patient data."""

    before: str
    after: str
    why: str
    at: float


class Tracker:
    """One member's health. A member counts as up until a check or traffic says otherwise. Times are seconds of one clock."""

    def __init__(self, check: Check, now: float) -> None:
        self.check = check
        self.operational = "up"
        self.why = "not checked yet"
        self.outcome: str | None = None  # the last word a check found
        self.detail = ""
        self.first_result_seen = False
        self.since = now
        self._good = 0
        self._bad = 0
        self._downs: list[float] = []  # when it went down, within the window
        self._returned: float | None = None
        self._counted = now - check.interval_ms / 1000  # when good traffic last counted towards rise
        self._begun: float | None = None
        self._next = now

    def begun(self, now: float) -> None:
        """A check begins: the next one is due an interval from here, so that `fall` bad ones take `interval × fall + timeout` at most."""
        self._begun = now
        self._next = now + self.check.interval_ms / 1000

    def next_check(self, now: float) -> float:
        """When the next check is due (it may be in the past)."""
        return self._next

    def observe(self, outcome: str, now: float, detail: str = "", *, busy: bool = False) -> Change | None:
        """A check found `outcome` (a word of `OUTCOMES`).

        `busy`: no association could be had while another of ours there was moving bytes in that time, so the member serves one at a time:
        it counts as `rejected-busy` (dicom.md §4).
        """
        self.first_result_seen = True
        self.outcome, self.detail = outcome, detail
        if self._begun is None:
            self._next = now + self.check.interval_ms / 1000
        self._begun = None
        return self._count("rejected-busy" if busy else outcome, now, detail, by_check=True)

    def traffic(self, outcome: str, now: float, detail: str = "", *, busy: bool = False) -> Change | None:
        """An attempt of real traffic found `outcome`; `busy` as for `observe`."""
        return self._count("rejected-busy" if busy else outcome, now, detail, by_check=False)

    @property
    def fine(self) -> bool:
        """Up, and nothing bad since the last good outcome: another good one of traffic would change nothing."""
        return self.operational == "up" and not self._bad

    def filled(self, now: float, why: str) -> Change | None:
        """The member answered that it has no room (A7xx): no new studies there until a check passes. A member that is down stays down."""
        return None if self.operational == "down" else self._become("full", now, why)

    def start(self, now: float) -> float:
        """The slow start factor for new studies: 1 but for the 30 s after a return."""
        if self._returned is None:
            return 1.0
        part = (now - self._returned) / SLOW_START
        return 1.0 if part >= 1.0 else SLOW_START_FROM + (1.0 - SLOW_START_FROM) * max(0.0, part)

    def needed(self, now: float) -> int:
        """How many good outcomes in a row a down member needs now."""
        downs = sum(1 for at in self._downs if now - at < FLAP_WINDOW)
        return self.check.rise * min(DAMPING_LIMIT, 1 << max(0, min(downs, 32) - 1))

    def use(self, check: Check, now: float) -> None:
        """A new document changed the check: counts are kept, the next one is due by the new interval at the latest."""
        self.check = check
        self._next = min(self._next, now + check.interval_ms / 1000)

    def _count(self, outcome: str, now: float, detail: str, *, by_check: bool) -> Change | None:
        effect = OUTCOMES[outcome]
        said = f"{outcome} ({detail})" if detail else outcome
        if effect.fall:
            return self._fell(now, said)
        self._bad = 0
        if self.operational == "down":
            return self._rose(now, said, effect.full, by_check)
        if effect.full:
            return self._become("full", now, said)
        if self.operational == "full" and (by_check or now - self.since >= FULL_AGAIN):
            return self._become("up", now, f"{said}, has room again")
        if self.operational == "up" and by_check:
            self.why = said
        return None

    def _fell(self, now: float, said: str) -> Change | None:
        self._good = 0
        if self.operational == "down":
            self.why = said
            return None
        self._bad += 1
        if self._bad < self.check.fall:
            self.why = f"{said}, {self._bad} of {self.check.fall}"
            return None
        recent = [at for at in self._downs if now - at < FLAP_WINDOW]
        self._downs = [*recent[-DAMPING_LIMIT:], now]
        return self._become("down", now, f"{said}, {self._bad} in a row")

    def _rose(self, now: float, said: str, full: bool, by_check: bool) -> Change | None:
        if not by_check:
            if now - self._counted < self.check.interval_ms / 1000:
                return None
            self._counted = now
        self._good += 1
        needed = self.needed(now)
        if self._good < needed:
            self.why = f"{said}, {self._good} of {needed}"
            return None
        self._returned = now
        return self._become("full" if full else "up", now, f"{said}, {self._good} in a row")

    def _become(self, word: str, now: float, why: str) -> Change | None:
        before, self.operational, self.why = self.operational, word, why
        self._good = self._bad = 0
        if before == word:
            return None
        self.since = now
        return Change(before, word, why, now)
