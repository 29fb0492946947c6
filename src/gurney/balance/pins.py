"""The one place for pins in memory: which member a key stays with, when it last had an object, and which studies are split.

The durable copy is the ledger's; this one answers per object. A key is named by its `ref`, a keyed digest made outside, so that no
patient's value is held here. Times are seconds of any one clock, given by the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from gurney.config import limits

KEPT = limits.PIN_MS / 1000  # seconds a pin is kept after its last object (dicom.md §4)
QUIET = limits.STUDY_QUIET_MS / 1000  # seconds without an object after which a draining member hands a study over (dicom.md §4)


@dataclass(slots=True)
class Pin:
    """A key's member, its last object's time, and every member that has stored an object of it."""

    member: str
    last: float
    holders: frozenset[str] = frozenset()


class Pins:
    """The pins of one application, oldest first."""

    def __init__(self) -> None:
        self._pins: OrderedDict[tuple[str, str], Pin] = OrderedDict()
        self._split: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        return len(self._pins)

    def get(self, pool: str, ref: str, now: float) -> str | None:
        """The member `ref` is pinned to, or None if it has none or its pin is over 24 h old."""
        pin = self._pins.get((pool, ref))
        return None if pin is None or now - pin.last > KEPT else pin.member

    def set(self, pool: str, ref: str, member: str, now: float) -> None:
        """Pin `ref` to `member`, new or moved. Who holds objects of it is not changed: a move before the first one is no split."""
        self.expire(now)
        pin = self._pins.get((pool, ref))
        if pin is None:
            self._pins[(pool, ref)] = Pin(member, now)
        else:
            pin.member = member
            self.touch(pool, ref, now)

    def touch(self, pool: str, ref: str, now: float, member: str | None = None) -> None:
        """An object of `ref` has come; `member` has stored it (None: nobody has). A second member makes the study a split one."""
        pin = self._pins.get((pool, ref))
        if pin is None:
            return
        pin.last = max(pin.last, now)
        self._pins.move_to_end((pool, ref))
        if member is not None and member not in pin.holders:
            pin.holders |= {member}
            if len(pin.holders) > 1:
                self._split.add((pool, ref))

    def quiet(self, pool: str, ref: str, now: float) -> bool:
        """True if `ref` has had no object for 60 s (or was never seen)."""
        pin = self._pins.get((pool, ref))
        return pin is None or now - pin.last >= QUIET

    def expire(self, now: float, kept: float = KEPT) -> int:
        """Forget pins whose last object is over `kept` seconds old; how many that were."""
        dropped = 0
        while self._pins:
            name, pin = next(iter(self._pins.items()))
            if now - pin.last <= kept:
                break
            self._drop(name)
            dropped += 1
        return dropped

    @property
    def split(self) -> int:
        """How many keys have objects on more than one member."""
        return len(self._split)

    def split_studies(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """(pool, ref, members in order of name) of every key with objects on more than one member."""
        for name in sorted(self._split):
            yield (*name, tuple(sorted(self._pins[name].holders)))

    def __iter__(self) -> Iterator[tuple[str, str, Pin]]:
        for (pool, ref), pin in self._pins.items():
            yield pool, ref, pin

    def _drop(self, name: tuple[str, str]) -> None:
        del self._pins[name]
        self._split.discard(name)
