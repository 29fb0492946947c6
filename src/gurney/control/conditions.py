"""The one place for conditions: something that is not as it should be, with a code, a reason, since when and of what."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ACCEPTS_EVERYONE = "AcceptsEveryone"
APPLY_FAILED = "ApplyFailed"
CHECK_IS_WEAK = "CheckIsWeak"
CONFIRM_PENDING = "ConfirmPending"
ENGINE_RESTARTED = "EngineRestarted"
ENGINE_SILENT = "EngineSilent"
GUARD_RESTARTED = "GuardRestarted"
MEMBER_DOWN = "MemberDown"
OVERRIDE_UNUSED = "OverrideUnused"
POOL_DOWN = "PoolDown"

MEANINGS: Mapping[str, str] = {
    ACCEPTS_EVERYONE: "a service has no accept_from: whoever reaches its port may send",
    APPLY_FAILED: "an engine did not take or not confirm what it was given; the last good configuration serves",
    CHECK_IS_WEAK: "a member is checked by connecting only, which a hung program survives",
    CONFIRM_PENDING: "a revision was applied with --confirm and is undone unless it is confirmed",
    ENGINE_RESTARTED: "a process ended by itself and the guard started it again; shown for 15 minutes",
    ENGINE_SILENT: "a process does not answer on its socket",
    GUARD_RESTARTED: "the guard ended and the next one took over; shown for 15 minutes",
    MEMBER_DOWN: "a member is down",
    OVERRIDE_UNUSED: "an override names a member that the document does not have",
    POOL_DOWN: "no member of a pool is up",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`object` is what it is about: `pacs`, `pacs/store`, `pacs/archive/archive-1`, `revision 7`, `guard`."""

    code: str
    reason: str
    object: str


def when(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


class Conditions:
    """The conditions that hold now.

    A *source* (`document`, `observed`, …) states all of its conditions at once with `hold`; what it no longer states is over, what it
    states again keeps its `since`. Single ones are raised and cleared by `raise_` and `clear`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, dict[tuple[str, str], tuple[Condition, float]]] = {}

    def hold(self, source: str, conditions: Iterable[Condition], now: float) -> None:
        """These and no others hold, as far as `source` knows. `now` is seconds since the epoch."""
        with self._lock:
            before = self._held.get(source, {})
            after: dict[tuple[str, str], tuple[Condition, float]] = {}
            for one in conditions:
                key = (one.code, one.object)
                after[key] = (one, before[key][1] if key in before else now)
            self._held[source] = after

    def raise_(self, condition: Condition, now: float) -> None:
        """This one holds until it is cleared; raised again, it keeps its `since` and takes the new reason."""
        with self._lock:
            held = self._held.setdefault("single", {})
            key = (condition.code, condition.object)
            held[key] = (condition, held[key][1] if key in held else now)

    def clear(self, code: str, object: str | None = None) -> None:
        """The condition is over, for one object or for all of them."""
        with self._lock:
            held = self._held.get("single", {})
            for key in [key for key in held if key[0] == code and object in (None, key[1])]:
                del held[key]

    def expire(self, code: str, before: float) -> None:
        """Single conditions of this code raised before this time are over."""
        with self._lock:
            held = self._held.get("single", {})
            for key in [key for key, (_, since) in held.items() if key[0] == code and since < before]:
                del held[key]

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
            if isinstance(stated["since"], (int, float)):
                stated["since"] = when(stated["since"])
            found[(str(stated["code"]), str(stated["object"]))] = stated
        return sorted(found.values(), key=lambda one: (str(one["since"]), str(one["code"]), str(one["object"])))
