"""The one place for data sets that lie, never end or explode (dicom.md §8, list 4): bytes written with `struct` alone.

None of them is refused: what cannot be read is *unreadable*, and goes on as it came (dicom.md §3). `why` is the word of the reading,
"" where the head is read all the same.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache

EXPLICIT, IMPLICIT, DEFLATED, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
OPEN = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)


@dataclass(frozen=True, slots=True)
class Case:
    """One data set in its transfer syntax."""

    name: str
    transfer: str
    data: bytes
    readable: bool = True


def explicit(group: int, number: int, vr: bytes, value: bytes, size: int | None = None) -> bytes:
    """An element in Explicit LE; `size` lies about its length."""
    length = len(value) if size is None else size
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return struct.pack("<HH2s2xI", group, number, vr, length) + value
    return struct.pack("<HH2sH", group, number, vr, length & 0xFFFF) + value


def implicit(group: int, number: int, value: bytes, size: int | None = None) -> bytes:
    """An element in Implicit LE."""
    return struct.pack("<HHI", group, number, len(value) if size is None else size) + value


def mark(tag: tuple[int, int], length: int = 0) -> bytes:
    """An item or a delimiter."""
    return struct.pack("<HHI", *tag, length)


def study(value: bytes = b"2.25.4711 ", *, vr: bool = True) -> bytes:
    """(0020,000D)."""
    return explicit(0x20, 0xD, b"UI", value) if vr else implicit(0x20, 0xD, value)


FRONT = explicit(0x8, 0x60, b"CS", b"CT")
PIXELS = explicit(0x7FE0, 0x10, b"OW", bytes(512))
BEHIND = study() + PIXELS


def nested(depth: int, *, ended: bool = True, vr: bool = True) -> bytes:
    """Sequences of undefined length in each other, in (0008,1140)."""
    opened = struct.pack("<HH2s2xI", 0x8, 0x1140, b"SQ", OPEN) if vr else implicit(0x8, 0x1140, b"", OPEN)
    return (opened + mark(ITEM, OPEN)) * depth + ((mark(ITEM_END) + mark(SEQUENCE_END)) * depth if ended else b"")


def bomb(megabytes: int) -> bytes:
    """A deflate stream about a thousandth of what comes out of it: a private element of zeros, and never a study."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    out = packer.compress(FRONT + explicit(0x9, 0x10, b"LO", b"BOMB") + struct.pack("<HH2s2xI", 0x9, 0x1001, b"OB", megabytes << 20))
    for _ in range(megabytes):
        out += packer.compress(bytes(1 << 20))
    return out + packer.flush()


def deflated(data: bytes) -> bytes:
    """A raw deflate stream."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@cache
def cases() -> tuple[Case, ...]:
    """All of them; made once, the bomb takes a moment."""
    stray = FRONT + mark(ITEM) + BEHIND  # mercure#50
    return (
        Case("64-deep", EXPLICIT, FRONT + nested(64) + BEHIND),
        Case("65-deep", EXPLICIT, FRONT + nested(65) + BEHIND, False),
        Case("5000-deep", EXPLICIT, FRONT + nested(5000) + BEHIND, False),  # DCMTK 885ff0f1
        Case("5000-deep-implicit", IMPLICIT, nested(5000, vr=False) + study(vr=False), False),
        Case("5000-deep-never-ended", EXPLICIT, FRONT + nested(5000, ended=False), False),
        Case("undefined-length-never-ended", EXPLICIT, FRONT + nested(1, ended=False) + FRONT * 40, False),
        Case("undefined-length-of-400-kib", EXPLICIT, FRONT + nested(1, ended=False) + FRONT * 40_000, False),
        Case("stray-item", EXPLICIT, stray, False),
        Case("stray-delimiter", EXPLICIT, FRONT + mark(SEQUENCE_END) + BEHIND, False),
        Case("item-longer-than-its-sequence", EXPLICIT, FRONT + explicit(0x8, 0x1140, b"SQ", mark(ITEM, 0x7FFFFFFF)) + BEHIND),
        Case("item-of-4-gib", EXPLICIT, FRONT + explicit(0x8, 0x1140, b"SQ", mark(ITEM, 0xFFFFFFFE), OPEN), False),
        Case("group-length-lies", EXPLICIT, explicit(0x8, 0x0, b"UL", struct.pack("<I", OPEN)) + FRONT + BEHIND),  # CVE-2026-5437
        Case("element-of-2-gib", EXPLICIT, FRONT + explicit(0x9, 0x1001, b"OB", bytes(64), 0x7FFFFFFF), False),
        Case("text-of-4-gib-implicit", IMPLICIT, implicit(0x8, 0x60, b"CT", 0xFFFFFFFE), False),
        Case("no-vr", EXPLICIT, FRONT + struct.pack("<HH2sH", 0x8, 0x70, b"\x01\x02", 4) + b"ACME" + BEHIND, False),
        Case("undefined-length-of-a-text", EXPLICIT, FRONT + explicit(0x8, 0x70, b"UT", b"", OPEN) + BEHIND, False),
        Case("study-twice", EXPLICIT, FRONT + study() + study(b"2.25.4712 ") + PIXELS, False),
        Case("study-nested-first", EXPLICIT, FRONT + explicit(0x8, 0x1115, b"SQ", mark(ITEM, 18) + study(b"2.25.9999 ")) + BEHIND),
        Case("unordered", EXPLICIT, study() + FRONT + PIXELS),
        Case("nothing", EXPLICIT, b""),
        Case("one-byte", EXPLICIT, b"\x08", False),
        Case("seven-bytes", IMPLICIT, b"\x08\0\x60\0\x02\0\0", False),
        Case("zeros", EXPLICIT, bytes(4096), False),
        Case("text", EXPLICIT, b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n", False),
        Case("little-called-big", BIG, FRONT + BEHIND, False),
        Case("implicit-called-explicit", EXPLICIT, implicit(0x8, 0x60, b"CT") + study(vr=False), False),
        Case("deflated-honest", DEFLATED, deflated(FRONT + BEHIND)),
        Case("deflated-never-ended", DEFLATED, deflated(FRONT + nested(3, ended=False))[:-3], False),
        Case("deflated-garbage", DEFLATED, bytes(range(256)) * 8, False),
        Case("deflated-empty", DEFLATED, b"", False),
        Case("deflate-bomb", DEFLATED, bomb(64), False),  # pynetdicom#930
        Case("deflate-bomb-in-a-bomb", DEFLATED, deflated(FRONT) + deflated(bytes(1 << 20)) * 50),
    )
