"""The one place for the data sets of the benchmark's objects: heads of one length with the Study UID where real ones have it (dicom.md §3).

Over public samples the Study UID ends at byte 740 (median), 1,582 (90 %), 2,214 (95 %); a sequence stands before it in 75 of 166,
an undefined length in 39, private elements in 20. Ten heads in those shares; every byte after `LENGTH` is the same in all of them.
"""

from __future__ import annotations

import random
import struct

CT = b"1.2.840.10008.5.1.4.1.1.2\0"
LENGTH = 3072  # bytes of a head, whatever is in it; less than the smallest PDU that is measured
ENDS = (208, 420, 600, 740, 740, 740, 1100, 1582, 1582, 2214)  # where the Study UID's value ends, at least
NESTED, UNDEFINED, PRIVATE = {1, 3, 5, 7}, {3, 7}, {2, 8}  # heads with a sequence, with undefined lengths, with private elements
BINARY = (b"OB", b"OW", b"SQ", b"UI", b"UN", b"US")
LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT")


def uid(number: int) -> bytes:
    """A UID under 2.25 of fixed length, padded to an even one."""
    return b"2.25.1%029d\0" % number


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """One element in Explicit VR Little Endian."""
    value += bytes(len(value) & 1) if vr in BINARY else b" " * (len(value) & 1)
    if vr in LONG:
        return struct.pack("<HH2s2xI", group, number, vr, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def _sequence(group: int, number: int, inside: bytes, undefined: bool) -> bytes:
    """A sequence of one item; with undefined lengths both are ended by delimiters."""
    if not undefined:
        return element(group, number, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside)
    begin = struct.pack("<HH2s2xI", group, number, b"SQ", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return begin + inside + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)


def head(variant: int, defined: bool = False) -> bytes:
    """One of the ten heads: `LENGTH` bytes up to the pixel data's element; the SOP Instance UID and the Study UID are `uid(0)`. With
    `defined` no length is undefined: DCMTK writes those anew."""
    seeded = random.Random(variant)
    words = element(0x0008, 0x0005, b"CS", b"ISO_IR 100") + element(0x0008, 0x0008, b"CS", b"ORIGINAL\\PRIMARY\\AXIAL")
    words += element(0x0008, 0x0016, b"UI", CT) + element(0x0008, 0x0018, b"UI", uid(0))
    words += element(0x0008, 0x0060, b"CS", b"CT") + element(0x0008, 0x0070, b"LO", b"GURNEY BENCH")
    if variant in NESTED:  # a foreign Study UID, legally nested (PS3.3 C.12.2): whoever seeks a byte pattern takes this one
        foreign = element(0x0008, 0x1155, b"UI", uid(10**20 + variant)) + element(0x0020, 0x000D, b"UI", uid(10**21 + variant))
        words += _sequence(0x0008, 0x1140, foreign, variant in UNDEFINED and not defined)
    if variant in PRIVATE:
        words += element(0x0009, 0x0010, b"LO", b"GURNEY BENCH") + element(0x0009, 0x1001, b"UN", seeded.randbytes(64))
    words += element(0x0010, 0x0010, b"PN", b"%d^BENCH" % variant) + element(0x0010, 0x0020, b"LO", b"BENCH%d" % variant)
    study = element(0x0020, 0x000D, b"UI", uid(0))
    gap = ENDS[variant] - len(words) - len(study) - 12
    if gap > 0:
        words += element(0x0010, 0x4000, b"UT", bytes(seeded.choices(b"abcdefgh", k=gap & ~1)))  # stands for what comes before
    words += study + element(0x0020, 0x000E, b"UI", uid(10**19 + variant)) + element(0x0020, 0x0013, b"IS", b"%d" % variant)
    words += b"".join(
        element(0x0028, number, b"US", struct.pack("<H", value))
        for number, value in ((2, 1), (0x10, 512), (0x11, 512), (0x100, 16), (0x101, 16), (0x102, 15), (0x103, 0))
    )
    words += element(0x0029, 0x0010, b"LO", b"GURNEY BENCH")
    return words + element(0x0029, 0x1001, b"UN", seeded.randbytes(LENGTH - len(words) - 12))


def tail(size: int) -> bytes:
    """Everything after a head of an object of `size` bytes: the pixel data."""
    room = max(2, size - LENGTH - 12) & ~1
    return element(0x7FE0, 0x0010, b"OW", (random.Random(1).randbytes(4096) * (room // 4096 + 1))[:room])
