"""The one place for counting what became of objects: acked at the sender, stored on members' disks, lost, changed, split, twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from .objects import Thing


class Storing(Protocol):
    """Anything that tells what it holds: SOP Instance UID -> sha256 of the data set."""

    def stored(self) -> dict[str, str]: ...


def tally(things: Sequence[Thing], acked: Iterable[str], members: Sequence[Storing], crashed: bool = False) -> dict[str, int]:
    """acked, stored (distinct, with the right sha256), lost, changed, twice (on more than one member), split (studies on two members).

    `crashed`: members were killed while they wrote, and may have left a cut file beside the right one elsewhere; that is not *changed*.
    """
    sha = {t.sop_instance: t.sha for t in things}
    disks = [m.stored() for m in members]
    holders = {sop: [d[sop] for d in disks if sop in d] for sop in sha}
    right = {sop for sop, hashes in holders.items() if sha[sop] in hashes}
    where: dict[str, set[int]] = {}
    for t in things:
        where.setdefault(t.study, set()).update(i for i, d in enumerate(disks) if t.sop_instance in d)
    known = set(acked) & set(sha)
    return {
        "acked": len(known),
        "stored": len(right),
        "lost": len(known - right),
        "changed": sum(any(h != sha[sop] for h in hashes) and not (crashed and sop in right) for sop, hashes in holders.items()),
        "twice": sum(len(hashes) > 1 for hashes in holders.values()),
        "split": sum(len(w) > 1 for w in where.values()),
    }


def counted(counters: dict[str, list[dict[str, Any]]], name: str) -> int:
    """The sum of one of Gurney's counters (`gurney_dicom_…_total`) over its labels."""
    return int(sum(cell.get("value", 0) for cell in counters.get(f"gurney_dicom_{name}", [])))
