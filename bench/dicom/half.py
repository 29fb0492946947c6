"""The one place for what Gurney adds to the time of an object at half load: its p99 less that of generator and sink alone, at one rate."""

from __future__ import annotations

from dataclasses import replace

from bench.dicom.figures import Cell, Expected, Void
from bench.dicom.run import measure

SECONDS = 2.0


def cell(of: Cell, rate: float) -> Cell:
    """The same cell, paced to half of `rate` objects a second for about two seconds."""
    return replace(of, rate=rate / 2, objects=max(of.associations, int(SECONDS * rate / 2)))


def once(of: Cell, rate: float, expected: Expected) -> float:
    """Milliseconds added at p99: neighbours in time. An object's time begins when it was due or, later, when the last one was answered."""
    paced = cell(of, rate)
    alone, through = (measure(name, paced, expected).p99_ms for name in ("direct", "gurney"))
    if alone is None or through is None:
        raise Void("no p99")
    return through - alone
