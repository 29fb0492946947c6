"""The one place for conditions: something that is not as it should be, with a code, a reason, since when and of what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ACCEPTS_EVERYONE = "AcceptsEveryone"
APPLY_FAILED = "ApplyFailed"
CERTIFICATE_CHANGED = "CertificateChanged"
CERTIFICATE_EXPIRED = "CertificateExpired"
CERTIFICATE_EXPIRES = "CertificateExpires"
CHECK_IS_WEAK = "CheckIsWeak"
CONFIRM_PENDING = "ConfirmPending"
ENGINE_RESTARTED = "EngineRestarted"
ENGINE_SILENT = "EngineSilent"
GUARD_GONE = "GuardGone"
GUARD_RESTARTED = "GuardRestarted"
LEGACY_TLS = "LegacyTls"
MEMBER_DOWN = "MemberDown"
OVERRIDE_UNUSED = "OverrideUnused"
PLAIN_LISTENER = "PlainListener"
POOL_DOWN = "PoolDown"

MEANINGS: Mapping[str, str] = {
    ACCEPTS_EVERYONE: "a service has no accept_from: whoever reaches its port may send",
    APPLY_FAILED: "an engine did not take or not confirm what it was given; the last good configuration serves",
    CERTIFICATE_CHANGED: "a file the document names is not what it was, and what lies there is not taken up",
    CERTIFICATE_EXPIRED: "a certificate, authority or revocation list has ended; who verifies refuses it",
    CERTIFICATE_EXPIRES: "a certificate or authority ends within 30 days",
    CHECK_IS_WEAK: "a member is checked by connecting only, which a hung program survives",
    CONFIRM_PENDING: "a revision was applied with --confirm and is undone unless it is confirmed",
    ENGINE_RESTARTED: "a process ended by itself and the guard started it again; shown for 15 minutes",
    ENGINE_SILENT: "a process does not answer on its socket",
    GUARD_GONE: "no guard answers: traffic goes on, and what crashes now is not started again",
    GUARD_RESTARTED: "the guard ended and the next one took over; shown for 15 minutes",
    LEGACY_TLS: "a service admits retired versions and suites of TLS, because its document says so",
    MEMBER_DOWN: "a member is down",
    OVERRIDE_UNUSED: "an override names a member that the document does not have",
    PLAIN_LISTENER: "a service has neither tls nor an accept_from that names networks: whoever reaches its port is served, in clear",
    POOL_DOWN: "no member of a pool is up",
}


LAST_SECOND = 253_402_300_799  # of the year 9999: beyond it an engine said nonsense, shown as it is
SINGLE = "single"  # the source of conditions that are raised and cleared one by one


@dataclass(frozen=True, slots=True)
class Condition:
    """`object` is what it is about: `pacs`, `pacs/store`, `pacs/archive/archive-1`, `revision 7`, `guard`."""

    code: str
    reason: str
    object: str


def when(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


Held = dict[tuple[str, str], tuple[Condition, float]]  # by code and object: the condition and since when (seconds since the epoch)


class Conditions:
    """The conditions that hold now.

    A *source* (`document`, `engines`, …) states all of its conditions at once with `hold`; what it no longer states is over, what it
    states again keeps its `since`. Single ones are raised and cleared by `raise_` and `clear`. `raised` and `cleared` are told of each.
    """

    def __init__(
        self,
        raised: Callable[[Condition], None] = lambda condition: None,
        cleared: Callable[[Condition, float], None] = lambda condition, seconds: None,
    ) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}
        self._raised = raised
        self._cleared = cleared

    def hold(self, source: str, conditions: Iterable[Condition], now: float) -> None:
        """These and no others hold, as far as `source` knows. `now` is seconds since the epoch."""
        with self._lock:
            before = self._held.get(source, {})
            after: Held = {}
            for one in conditions:
                key = (one.code, one.object)
                after[key] = (one, before[key][1] if key in before else now)
            self._held[source] = after
            self._tell(before, after, now)

    def raise_(self, condition: Condition, now: float) -> None:
        """This one holds until it is cleared; raised again, it keeps its `since` and takes the new reason."""
        with self._lock:
            before = self._held.get(SINGLE, {})
            key = (condition.code, condition.object)
            self._held[SINGLE] = {**before, key: (condition, before[key][1] if key in before else now)}
            self._tell(before, self._held[SINGLE], now)

    def clear(self, code: str, object: str | None, now: float) -> None:
        """The condition is over, for one object or (None) for all of them."""
        self._keep(lambda key, since: not (key[0] == code and object in (None, key[1])), now)

    def expire(self, code: str, before: float, now: float) -> None:
        """Single conditions of this code raised before that time are over."""
        self._keep(lambda key, since: not (key[0] == code and since < before), now)

    def as_json(self, further: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
        """Every condition, oldest first, one a code and object; `further` are those an engine states itself (they win)."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        with self._lock:
            for held in self._held.values():
                for key, (condition, since) in held.items():
                    found.setdefault(
                        key, {"code": condition.code, "reason": condition.reason, "since": when(since), "object": condition.object}
                    )
        for one in further:
            stated = {name: one.get(name) for name in ("code", "reason", "since", "object")}
            at = stated["since"]
            if isinstance(at, (int, float)) and 0 <= at <= LAST_SECOND:
                stated["since"] = when(at)
            found[(str(stated["code"]), str(stated["object"]))] = stated
        return sorted(found.values(), key=lambda one: (str(one["since"]), str(one["code"]), str(one["object"])))

    def _keep(self, wanted: Callable[[tuple[str, str], float], bool], now: float) -> None:
        with self._lock:
            before = self._held.get(SINGLE, {})
            self._held[SINGLE] = {key: held for key, held in before.items() if wanted(key, held[1])}
            self._tell(before, self._held[SINGLE], now)

    def _tell(self, before: Held, after: Held, now: float) -> None:
        for key, (condition, _) in after.items():
            if key not in before:
                self._raised(condition)
        for key, (condition, since) in before.items():
            if key not in after:
                self._cleared(condition, now - since)
