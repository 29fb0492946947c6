"""The one place for writing data sets and command sets by hand in tests: independent of the code under test, able to lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
UNDEFINED = 0xFFFFFFFF

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
SYNTAXES = (IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED, JPEG)

STUDY = 0x0020000D
SERIES = 0x0020000E


@dataclass(frozen=True)
class Wanted:
    """What a `Head` is asked for."""

    tags: frozenset[int]
    private: tuple[tuple[int, int, str], ...] = ()

    @property
    def last(self) -> int:
        return max(self.tags, default=0)


def want(*tags: int, private: Sequence[tuple[int, int, str]] = ()) -> Wanted:
    return Wanted(frozenset(tags), tuple(private))


@dataclass(frozen=True)
class Writer:
    """Writes elements in one encoding."""

    order: str  # "<" or ">"
    implicit: bool

    def element(self, tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
        """One element; `length` may lie."""
        size = len(value) if length is None else length
        head = struct.pack(f"{self.order}HH", tag >> 16, tag & 0xFFFF)
        if self.implicit or not vr:
            return head + struct.pack(f"{self.order}I", size) + value
        if vr in LONG:
            return head + vr + bytes(2) + struct.pack(f"{self.order}I", size) + value
        return head + vr + struct.pack(f"{self.order}H", size & 0xFFFF) + value

    def item(self, content: bytes, undefined: bool = False) -> bytes:
        head = struct.pack(f"{self.order}HHI", 0xFFFE, 0xE000, UNDEFINED if undefined else len(content))
        return head + content + (self.delimiter(0xE00D) if undefined else b"")

    def delimiter(self, element: int, length: int = 0) -> bytes:
        return struct.pack(f"{self.order}HHI", 0xFFFE, element, length)

    def sequence(self, tag: int, items: Iterable[bytes], undefined: bool = False, vr: bytes = b"SQ") -> bytes:
        """A sequence of items that are written already."""
        content = b"".join(items)
        if not undefined:
            return self.element(tag, vr, content)
        return self.element(tag, vr, content, UNDEFINED) + self.delimiter(0xE0DD)


WRITERS = {
    IMPLICIT_LE: Writer("<", True),
    EXPLICIT_LE: Writer("<", False),
    EXPLICIT_BE: Writer(">", False),
    DEFLATED: Writer("<", False),
    JPEG: Writer("<", False),
}


def sent(syntax: str, data: bytes) -> bytes:
    """The data set as it travels: deflated where the transfer syntax says so."""
    if syntax != DEFLATED:
        return data
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


def command(*elements: tuple[int, bytes], group_length: int | None = None, with_length: bool = True, group: int = 0) -> bytes:
    """A command set of (element, value) in the order given."""
    body = b"".join(struct.pack("<HHI", group, element, len(value)) + value for element, value in elements)
    size = len(body) if group_length is None else group_length
    return (struct.pack("<HHII", 0, 0, 4, size) if with_length else b"") + body


def us(number: int) -> bytes:
    return struct.pack("<H", number)
