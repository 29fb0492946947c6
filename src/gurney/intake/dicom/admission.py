"""The one place for who may connect and how many: proven and unproven connections are counted apart (dicom.md §8)."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Protocol

from gurney.balance import rules
from gurney.config import limits
from gurney.config.document import Limits, Service

YOUNG_SECONDS = limits.UNASSOCIATED_AGE_MS / 1000  # an unproven connection is closed for a newer one only when it is older

LIMIT = (2, 3, 2)  # A-ASSOCIATE-RJ: transient, presentation, local limit exceeded
CALLER = (1, 1, 3)
CALLED = (1, 1, 7)


class Unproven(Protocol):
    """A connection without an association yet."""

    source: str
    since: float

    def shed(self) -> None:
        """Close it in favour of a newer one."""


def source_of(address: str) -> str:
    """The name under which a peer's share is counted: its address, for IPv6 its /64. IPv4 in IPv6 is IPv4."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)


class Admission:
    """Counts of one service."""

    def __init__(self) -> None:
        self._unproven: dict[Unproven, None] = {}  # oldest first
        self._per_source: Counter[str] = Counter()
        self._per_ae: Counter[str] = Counter()
        self.associations = 0

    @property
    def unproven(self) -> int:
        """Connections without an association."""
        return len(self._unproven)

    def connected(self, session: Unproven, limits: Limits, now: float) -> bool:
        """Count a new connection in; makes room by closing the oldest that is over 1 s old. False: no room."""
        same = [other for other in self._unproven if other.source == session.source]
        if len(same) >= limits.unassociated_per_address and not self._shed(same, now):
            return False
        if len(self._unproven) >= limits.unassociated and not self._shed(list(self._unproven), now):
            return False
        self._unproven[session] = None
        return True

    def _shed(self, candidates: list[Unproven], now: float) -> bool:
        for oldest in candidates:
            if now - oldest.since > YOUNG_SECONDS:
                self.left(oldest)
                oldest.shed()
                return True
        return False

    def left(self, session: Unproven) -> None:
        """An unproven connection is gone."""
        self._unproven.pop(session, None)

    def asks(self, service: Service, source: str, address: str, calling_ae: str, called_ae: str) -> tuple[int, int, int] | None:
        """The A-ASSOCIATE-RJ due to whoever asks for an association, None when he may have it."""
        if service.ae_title is not None and called_ae != service.ae_title:
            return CALLED
        if not rules.admits(service.accept_from, calling_ae, address):
            return CALLER
        limits = service.limits
        full = (
            self.associations >= limits.associations
            or self._per_source[source] >= limits.associations_per_address
            or self._per_ae[calling_ae] >= limits.associations_per_ae
        )
        return LIMIT if full else None

    def associated(self, source: str, calling_ae: str) -> None:
        """Count an association in."""
        self.associations += 1
        self._per_source[source] += 1
        self._per_ae[calling_ae] += 1

    def ended(self, source: str, calling_ae: str) -> None:
        """Count it out."""
        self.associations -= 1
        for counter, name in ((self._per_source, source), (self._per_ae, calling_ae)):
            counter[name] -= 1
            if counter[name] <= 0:
                del counter[name]
