"""The one place for what a run of the DICOM benchmark measures: its cells, the ways beside each other in them, and how many rounds."""

from __future__ import annotations

from dataclasses import dataclass

from bench.dicom.figures import Cell

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30
FAST = ("direct", "haproxy", "haproxy-tuned", "gurney")
OTHERS = ("pynetdicom", "orthanc", "dcmtk-forward")
TLS = ("direct-tls", "haproxy-tls", "haproxy-tuned-tls", "gurney-tls")
PAIR = ("direct", "haproxy", "gurney")
OBJECTS = {8 * KB: 8000, 512 * KB: 1600, 32 * MB: 32, GB: 1}  # while the clock runs, all associations together: about half a second
WARM = {8 * KB: 20, 512 * KB: 4, 32 * MB: 1, GB: 1}  # an association, before the clock
PAIR_OBJECTS = {8 * KB: 600, 512 * KB: 400}  # a tenth of them without Gurney and with Nagle: 40 ms each


def cell(size: int, associations: int, maximum: int = 16 * KB) -> Cell:
    """A cell with so many objects that its clock runs about half a second."""
    return Cell(size, associations, max(OBJECTS[size], associations), maximum, WARM[size])


def pair(sender: str, size: int, nodelay: bool = False) -> Cell:
    """DCMTK's sender and its storescp."""
    return Cell(size, 1, PAIR_OBJECTS[size], sender=sender, nodelay=nodelay)


@dataclass(frozen=True)
class Part:
    """One cell, what is measured in it and how often."""

    cell: Cell
    names: tuple[str, ...]
    rounds: int


@dataclass(frozen=True)
class Mode:
    """A run: its cells, and how often memory (with half load) and the share of head parsing are measured (0: not)."""

    parts: tuple[Part, ...]
    memory: int = 0
    heads: int = 0


GATE = (
    Part(cell(512 * KB, 4), FAST + OTHERS, 9),
    Part(cell(512 * KB, 4, 128 * KB), FAST, 9),
    Part(cell(8 * KB, 1), (*FAST, "pynetdicom"), 5),
    Part(cell(8 * KB, 4), (*FAST, "pynetdicom"), 5),
    Part(cell(512 * KB, 4), TLS, 3),
    Part(pair("storescu", 512 * KB), PAIR, 3),
    Part(pair("storescu", 8 * KB), PAIR, 3),
    Part(pair("storescu", 512 * KB, nodelay=True), PAIR, 3),
)


def _full() -> tuple[Part, ...]:
    """Every size, number of associations and PDU length; then what stands beside them."""
    parts = []
    for maximum in (16 * KB, 128 * KB):
        for size in (8 * KB, 512 * KB, 32 * MB):
            for associations in (1, 4, 16, 64):
                others = OTHERS if size < MB and associations < 64 and maximum == 16 * KB else ()
                rounds = 9 if (size, associations) == (512 * KB, 4) else 5
                parts.append(Part(cell(size, associations, maximum), FAST + others, rounds))
    parts.append(Part(cell(GB, 1), (*FAST, "gurney-replay-8M"), 3))
    parts += [Part(cell(size, n), TLS, 5) for size in (8 * KB, 512 * KB) for n in (1, 4, 16)]
    for sender in ("storescu", "dcmsend"):
        parts += [Part(pair(sender, size, nodelay), PAIR, 5) for size in (8 * KB, 512 * KB) for nodelay in (False, True)]
    return tuple(parts)


MODES = {
    "dicom": Mode(GATE, memory=3, heads=1),
    "dicom-full": Mode(_full(), memory=5, heads=3),
    "dicom-quick": Mode((Part(cell(512 * KB, 4), FAST, 3),)),
}
