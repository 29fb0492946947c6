"""The one place for what a run of the DICOM benchmark measures: its cells, the ways beside each other in them, and how many rounds."""

from __future__ import annotations

from dataclasses import dataclass

from bench.dicom.run import Cell

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30
FAST = ("direct", "haproxy", "haproxy-tuned", "gurney")
OTHERS = ("pynetdicom",)
TLS = ("direct-tls", "haproxy-tls", "haproxy-tuned-tls", "gurney-tls")
OBJECTS = {8 * KB: 8000, 512 * KB: 1600, 32 * MB: 32, GB: 1}  # while the clock runs, all associations together: about half a second
WARM = {8 * KB: 20, 512 * KB: 4, 32 * MB: 1, GB: 0}  # an association


def cell(size: int, associations: int, maximum: int = 16 * KB) -> Cell:
    """A cell with so many objects that its clock runs about half a second."""
    return Cell(size, associations, max(OBJECTS[size], associations), maximum, WARM[size])


@dataclass(frozen=True)
class Part:
    """One cell, what is measured in it and how often."""

    cell: Cell
    names: tuple[str, ...]
    rounds: int


@dataclass(frozen=True)
class Mode:
    """A run: its cells."""

    name: str
    parts: tuple[Part, ...]


def _full() -> tuple[Part, ...]:
    """Every size, number of associations and PDU length."""
    parts = []
    for maximum in (16 * KB, 128 * KB):
        for size in (8 * KB, 512 * KB, 32 * MB):
            for associations in (1, 4, 16, 64):
                others = OTHERS if size < MB and associations < 64 and maximum == 16 * KB else ()
                parts.append(Part(cell(size, associations, maximum), FAST + others, 9))
    return tuple(parts)


GATE = (
    Part(cell(512 * KB, 4), FAST + OTHERS, 9),
    Part(cell(512 * KB, 4, 128 * KB), FAST, 9),
    Part(cell(8 * KB, 1), FAST + OTHERS, 5),
    Part(cell(8 * KB, 4), FAST + OTHERS, 5),
)
MODES = {
    "dicom": Mode("dicom", GATE),
    "dicom-full": Mode("dicom-full", _full()),
    "dicom-quick": Mode("dicom-quick", (Part(cell(512 * KB, 4), FAST, 3),)),
}
