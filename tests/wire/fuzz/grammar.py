"""The one place for where the fields of a capture stand: read by plain loops of our own, so that mutators hit what a parser trusts."""

from __future__ import annotations

from dataclasses import dataclass, field

_SHORT_VRS = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM"}
_SHORT_VRS |= {b"UI", b"UL", b"US"}


@dataclass
class Seed:
    """Bytes that are mutated. `fields`: (offset, bytes, "big" or "little"); `units`: (start, end) of what can be moved about as a whole.
    `single`: one PDU, whose length is mostly made right again, so that what is inside is read."""

    data: bytes
    label: str = ""  # what else a target has to know: a transfer syntax, a role
    fields: list[tuple[int, int, str]] = field(default_factory=list)
    units: list[tuple[int, int]] = field(default_factory=list)
    single: bool = False


def stream(data: bytes, label: str = "", single: bool = False) -> Seed:
    """PDUs one after the other, each with all that is inside it."""
    seed = Seed(data, label, single=single)
    at = 0
    while at + 6 <= len(data):
        end = min(at + 6 + int.from_bytes(data[at + 2 : at + 6], "big"), len(data))
        seed.units.append((at, end))
        seed.fields += [(at, 1, "big"), (at + 2, 4, "big")]
        if data[at] in (1, 2):
            _associate(seed, at, end)
        elif data[at] == 4:
            _pdvs(seed, at + 6, end)
        else:
            seed.fields += [(n, 1, "big") for n in range(at + 6, end)]
        at = end
    return seed


def _associate(seed: Seed, at: int, end: int) -> None:
    """PS3.8 §9.3.2, §9.3.3: the fixed fields, items, and the items inside contexts and user information."""
    seed.fields += [(at + 6, 2, "big"), (at + 10, 1, "big"), (at + 26, 1, "big")]
    _items(seed, at + 74, end)


def _items(seed: Seed, at: int, end: int) -> None:
    while at + 4 <= end:
        kind, stop = seed.data[at], at + 4 + int.from_bytes(seed.data[at + 2 : at + 4], "big")
        if stop > end:
            return
        seed.fields += [(at, 1, "big"), (at + 2, 2, "big")]
        seed.units.append((at, stop))
        if kind in (0x20, 0x21):
            seed.fields += [(at + 4, 1, "big"), (at + 6, 1, "big")]
            _items(seed, at + 8, stop)
        elif kind == 0x50:
            _items(seed, at + 4, stop)
        elif kind == 0x51:
            seed.fields.append((at + 4, 4, "big"))
        elif kind in (0x53, 0x54, 0x56, 0x57, 0x58, 0x59):
            seed.fields += [(at + 4, 2, "big"), (stop - 2, 2, "big"), (stop - 1, 1, "big")]
        at = stop


def _pdvs(seed: Seed, at: int, end: int) -> None:
    """PS3.8 §9.3.5.1: length, context id, control header; the elements of a command that stands in one."""
    while at + 6 <= end:
        stop = min(at + 4 + max(int.from_bytes(seed.data[at : at + 4], "big"), 2), end)
        seed.fields += [(at, 4, "big"), (at + 4, 1, "big"), (at + 5, 1, "big")]
        seed.units.append((at, stop))
        if seed.data[at + 5] & 1:
            _implicit(seed, at + 6, stop)
        at = stop


def _implicit(seed: Seed, at: int, end: int) -> None:
    """Elements of Implicit VR Little Endian."""
    while at + 8 <= end:
        stop = at + 8 + int.from_bytes(seed.data[at + 4 : at + 8], "little")
        seed.fields += [(at, 2, "little"), (at + 2, 2, "little"), (at + 4, 4, "little")]
        if stop > end:
            return
        if stop - at in (10, 12):
            seed.fields.append((at + 8, stop - at - 8, "little"))
        seed.units.append((at, stop))
        at = stop


def command_set(data: bytes) -> Seed:
    """A command set (PS3.7 §6.3.1)."""
    seed = Seed(data)
    _implicit(seed, 0, len(data))
    return seed


def data_set(data: bytes, syntax: str, implicit: bool, order: str) -> Seed:
    """The elements and items of a data set, as far as their lengths carry; what has no defined length is entered (PS3.5 §7)."""
    seed = Seed(data, syntax)
    at = 0
    while at + 8 <= len(data):
        vr = data[at + 4 : at + 6]
        item = data[at : at + 2] in (b"\xfe\xff", b"\xff\xfe")
        if implicit or item:
            where, size, start = at + 4, 4, at + 8
        elif vr in _SHORT_VRS:
            where, size, start = at + 6, 2, at + 8
        else:
            where, size, start = at + 8, 4, at + 12
        length = int.from_bytes(data[where : where + size], order)  # type: ignore[arg-type]
        seed.fields += [(at, 2, order), (at + 2, 2, order), (where, size, order)]
        if not (implicit or item):
            seed.fields.append((at + 4, 2, "big"))
        stop = start if length == 0xFFFFFFFF or item or vr == b"SQ" else min(start + length, len(data))
        if stop > start:
            seed.units.append((at, stop))
        at = stop
    seed.fields = [known for known in seed.fields if known[0] + known[1] <= len(data)]
    return seed
