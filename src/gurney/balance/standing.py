"""The one place for how a member's recent failures and slowness become the penalty that `least-load` adds to its load.

A failure weighs as four waiting objects and halves every 10 s. Slowness is a moving mean of answer times against the pool's
fastest member: three times as slow weighs as two waiting objects, capped at 16. Both fade by themselves, so a healed member
attracts again.
"""

from __future__ import annotations

FAILURE_WEIGHT = 4.0  # waiting objects one fresh failure counts for
HALF_LIFE = 10.0  # seconds
SLOWNESS_CAP = 16.0  # waiting objects
SMOOTHING = 0.2  # share of the newest answer time in the mean


class Standing:
    """One member's recent record. Times are seconds of one clock."""

    def __init__(self) -> None:
        self.answer_seconds: float | None = None
        self._failures = 0.0
        self._at = 0.0

    def failed(self, now: float) -> None:
        """An attempt there failed by the member's fault."""
        self._failures = self._faded(now) + 1.0
        self._at = now

    def answered(self, seconds: float) -> None:
        """An object was answered `seconds` after its last byte."""
        mean = self.answer_seconds
        self.answer_seconds = seconds if mean is None else mean + SMOOTHING * (seconds - mean)

    def penalty(self, now: float, fastest: float | None) -> float:
        """The penalty in waiting objects; `fastest`: the least `answer_seconds` in the pool, None if nobody answered yet."""
        slow = 0.0
        if fastest is not None and fastest > 0.0 and self.answer_seconds is not None:
            slow = min(SLOWNESS_CAP, max(0.0, self.answer_seconds / fastest - 1.0))
        return FAILURE_WEIGHT * self._faded(now) + slow

    def _faded(self, now: float) -> float:
        left: float = self._failures * 0.5 ** (max(0.0, now - self._at) / HALF_LIFE)
        return left if left > 0.01 else 0.0
