"""The one place for the changed documents the demo applies: each is the one before with one thing more that a hospital would change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gurney.errors import LocalError


@dataclass(frozen=True, slots=True)
class Change:
    """One change: what it is in words, and the document after it from the one before (both with the shipped ports)."""

    what: str
    make: Callable[[str], str]


def swapped(document: str, old: str, new: str) -> str:
    """`document` with the one place that reads `old` reading `new`; LocalError unless there is exactly one."""
    if document.count(old) != 1:
        raise LocalError(f"the demo's document has {document.count(old)} places that read {old!r}")
    return document.replace(old, new)


def archive_weight_and_rule(document: str) -> str:
    """archive-2 gets half of its share, ultrasound a rule of its own."""
    rule = "          - name: ultrasound\n            match: {modality: US}\n            pool: archive\n          - pool: archive\n"
    return swapped(swapped(document, "21102, weight: 100", "21102, weight: 50"), "          - pool: archive\n", rule)


def portal_weight(document: str) -> str:
    """portal-2 gets half of its share."""
    return swapped(document, "21107, weight: 100", "21107, weight: 50")


def portal_rule(document: str) -> str:
    """Downloads go to a pool of their own, of the same servers."""
    rule = "          - name: downloads\n            match: {path: /download/*}\n            pool: downloads\n          - pool: portal\n"
    pools = "    pools:\n      downloads: {balance: round-robin, members: [127.0.0.1:21106, 127.0.0.1:21107]}\n      portal:\n"
    return swapped(swapped(document, "          - pool: portal\n", rule), "    pools:\n      portal:\n", pools)


def portal_member(document: str) -> str:
    """The portal gets a third member."""
    first = "          portal-1: 127.0.0.1:21106\n"
    return swapped(document, first, first + "          portal-3: 127.0.0.1:21108\n")


def portal_listener(document: str) -> str:
    """The portal listens on a second port."""
    return swapped(document, "listen: 127.0.0.1:21104", "listen: [127.0.0.1:21104, 127.0.0.1:21105]")


PACS = Change("archive-2 has half its weight, ultrasound a rule of its own", archive_weight_and_rule)
PORTAL: tuple[Change, ...] = (
    Change("portal-2 has half its weight", portal_weight),
    Change("the portal has a rule and a pool more", portal_rule),
    Change("the portal has a third member", portal_member),
    Change("the portal listens on a second port", portal_listener),
)
