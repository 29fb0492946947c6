"""The one place for what a figure of the DICOM benchmark is: its cell, what must have arrived, medians, ratios of neighbours in time."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from bench.dicom import wire


@dataclass(frozen=True)
class Cell:
    """One size and number of associations; `objects` is for all associations together, `warm` for each before the clock."""

    size: int
    associations: int
    objects: int
    maximum: int = 16384  # what the receiver advertises
    warm: int = 8
    sender: str = ""  # "" our generator and sink; a DCMTK program: that one and storescp
    rate: float = 0.0  # objects a second of all associations together; 0: as fast as answers come
    nodelay: bool = False  # the DCMTK pair with TCP_NODELAY=1 in its environment

    @property
    def title(self) -> str:
        unit = next(f"{self.size >> bits} {name}" for bits, name in ((30, "GB"), (20, "MB"), (10, "KB")) if self.size >> bits)
        if self.sender:
            return f"{self.sender} to storescp, {unit}" + (", TCP_NODELAY=1" if self.nodelay else "")
        return f"{unit} x {self.associations}, {self.maximum >> 10} KiB PDUs"

    def each(self, share: int) -> int:
        """Objects an association while the clock runs, for a path that gets one of `share`."""
        return max(1, round(self.objects / share / self.associations))


@dataclass(frozen=True)
class Figure:
    """One measurement that was proved: every object arrived with its sha256."""

    objects_per_second: float
    megabytes_per_second: float
    cpu_per_gb: float
    p50_ms: float | None = None  # of an object, from its first byte to its answer; a DCMTK sender does not tell
    p99_ms: float | None = None
    pdu: int | None = None
    connections: int | None = None  # to the sink, that carried objects


class Void(Exception):
    """An object is missing or wrong, or a sender saw an error: there is no number."""


class Expected:
    """What every object of a size must be at the sink. UIDs are the same in every measurement, so each is hashed once a run."""

    def __init__(self) -> None:
        self._sets: dict[tuple[int, bool], wire.DataSets] = {}
        self._digests: dict[tuple[int, bool, int, int], tuple[str, str]] = {}

    def of(self, size: int, index: int, number: int, defined: bool = False) -> tuple[str, str]:
        """(SOP Instance UID, sha256 of the data set) of an object; `defined`: without undefined lengths."""
        found = self._digests.get((size, defined, index, number))
        if found is None:
            if (size, defined) not in self._sets:
                self._sets[size, defined] = wire.DataSets(size, defined)
            sop, study = wire.names(index, number)
            found = sop.rstrip(b"\0").decode(), self._sets[size, defined].digest(sop, study, number)
            self._digests[size, defined, index, number] = found
        return found


def prove(arrived: Mapping[str, Set[str]], expected: Sequence[tuple[str, str]]) -> None:
    """Every expected object arrived, always with its digest; raises Void."""
    wrong = [sop for sop, digest in expected if arrived.get(sop) != {digest}]
    if wrong:
        missing = sum(sop not in arrived for sop in wrong)
        raise Void(f"{len(wrong)} of {len(expected)} objects are missing ({missing}) or wrong")


@dataclass
class Result:
    """All measurements of a cell: round -> path -> figure, None where it is void; a path that a round leaves out is not in it."""

    cell: Cell
    rounds: list[dict[str, Figure | None]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The paths that were measured here."""
        return list(self.rounds[0]) if self.rounds else []

    def void(self, path: str) -> bool:
        """A round of this path has no number."""
        return any(r[path] is None for r in self.rounds if path in r)

    def median(self, path: str, pick: Callable[[Figure], float | None]) -> float | None:
        """The median over the rounds; None when any round of this path was void, there was none, or it does not tell."""
        figures = [r[path] for r in self.rounds if path in r]
        found = [None if f is None else pick(f) for f in figures]
        told = [f for f in found if f is not None]
        return statistics.median(told) if found and len(told) == len(found) else None

    def ratios(self, path: str, to: str) -> list[float]:
        """The ratios of neighbours in time (the same round); none when any of them was void."""
        pairs = [(r[path], r[to]) for r in self.rounds if path in r and to in r]
        both = [(a.objects_per_second, b.objects_per_second) for a, b in pairs if a is not None and b is not None]
        return [a / b for a, b in both] if len(both) == len(pairs) else []

    def ratio(self, path: str, to: str) -> float | None:
        """Their median."""
        found = self.ratios(path, to)
        return statistics.median(found) if found else None
