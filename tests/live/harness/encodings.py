"""The one place for objects in every encoding that must leave as they came: character sets, byte orders, deflated, undefined lengths."""

from __future__ import annotations

import random
import struct
import zlib

from . import objects, pdus
from .objects import LONG, Thing

JPEG = "1.2.840.10008.1.2.4.50"
NESTED = objects.element(0x0020000D, b"UI", "2.25.1")  # a foreign Study UID, as PS3.3 C.12.2 has them
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HH", 0xFFFE, number) for number in (0xE000, 0xE00D, 0xE0DD))
NO_LENGTH = b"\xff\xff\xff\xff"
NAMES = {
    "8-bit": ("ISO_IR 100", b"M\xfcller^J\xf6rg"),
    "iso-2022": ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"),
    "utf-8": ("ISO_IR 192", "Wang^XiaoDong=王^小东".encode()),
    "korean": ("\\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"),
}
KINDS = (*NAMES, "implicit", "big-endian", "deflated", "undefined", "encapsulated")


def varied(kind: str, rng: random.Random, study: str, size: int) -> Thing:
    """An object of `kind`, of about `size` bytes before any deflating."""
    sop = objects.uid(rng)
    noise = rng.randbytes(rng.randrange(16, 200))
    if kind in NAMES:
        charset, name = NAMES[kind]
        more: list[tuple[int, bytes, bytes | str]] = [(0x00080005, b"CS", charset), (0x00100010, b"PN", name.decode("latin-1"))]
        return objects.thing(study, sop, size=size, more=more)
    if kind == "implicit":
        return objects.thing(study, sop, size=size, transfer=pdus.IMPLICIT_LE, more=[(0x00091001, b"UN", noise)])
    t = objects.thing(study, sop, size=size, more=[(0x00091001, b"UN", noise)])
    if kind == "big-endian":
        return objects.made(t.sop_class, sop, study, pdus.EXPLICIT_BE, big_endian(t.data))
    if kind == "deflated":
        packer = zlib.compressobj(rng.randrange(1, 10), zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(t.data) + packer.flush()
        return objects.made(t.sop_class, sop, study, pdus.DEFLATED, packed + bytes(len(packed) % 2))
    at = t.data.index(b"\x10\x00\x10\x00PN")
    data = t.data[:at] + sequence(rng) + t.data[at:]
    if kind == "undefined":
        return objects.made(t.sop_class, sop, study, pdus.EXPLICIT_LE, data)
    at = data.rindex(b"\xe0\x7f\x10\x00OW")
    pixels = data[at + 12 :]
    fragments = b"".join(
        ITEM + struct.pack("<I", len(one)) + one for one in (b"", pixels[: len(pixels) // 4 * 2], pixels[len(pixels) // 4 * 2 :])
    )
    data = data[:at] + b"\xe0\x7f\x10\x00OB\0\0" + NO_LENGTH + fragments + SEQUENCE_END + bytes(4)
    return objects.made(t.sop_class, sop, study, JPEG, data)


def sequence(rng: random.Random) -> bytes:
    """(0008,1140) of undefined length: items of undefined and of defined length, nested."""
    inner = ITEM + NO_LENGTH + NESTED + ITEM_END + bytes(4)
    whole = b"\x08\x00\x40\x11SQ\0\0" + NO_LENGTH
    for _ in range(rng.randrange(1, 5)):
        inner = ITEM + NO_LENGTH + NESTED + whole + inner + SEQUENCE_END + bytes(4) + ITEM_END + bytes(4)
    return whole + inner + ITEM + struct.pack("<I", len(NESTED)) + NESTED + SEQUENCE_END + bytes(4)


def big_endian(data: bytes) -> bytes:
    """Explicit LE elements of defined length with their headers turned round (values of bytes and texts stay)."""
    out, at = b"", 0
    while at < len(data):
        group, number, vr = struct.unpack_from("<HH2s", data, at)
        if vr in LONG:
            length, begin = struct.unpack_from("<I", data, at + 8)[0], at + 12
            out += struct.pack(">HH2s2xI", group, number, vr, length)
        else:
            length, begin = struct.unpack_from("<H", data, at + 6)[0], at + 8
            out += struct.pack(">HH2sH", group, number, vr, length)
        out += data[begin : begin + length]
        at = begin + length
    return out
