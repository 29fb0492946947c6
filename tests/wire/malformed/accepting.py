"""The one place for what a hostile or broken member says where an A-ASSOCIATE-AC or RJ is due (dicom.md §8, lists 1 and 2).

All of it is answered by an A-ABORT or refused as a lie: `answer` and `why` are as in `upper_layer`, `when` is "asked".
"""

from __future__ import annotations

import struct

from gurney.wire.dicom import pdu
from gurney.wire.dicom.items import item as sub_item
from tests.wire.malformed.upper_layer import INVALID, UNEXPECTED, UNKNOWN, Case
from tests.wire.tape import CT, IMPLICIT, RQ, command, item, p_data


def _asked(name: str, data: bytes, why: str, answer: bytes | None = INVALID) -> Case:
    return Case(name, "asked", data, answer, why)


def _header(kind: int, length: int) -> bytes:
    return struct.pack(">BxI", kind, length)


def _ac(*contents: bytes, version: int = 1) -> bytes:
    body = struct.pack(">HH", version, 0) + bytes(64) + sub_item(0x10, pdu.APPLICATION_CONTEXT.encode()) + b"".join(contents)
    return _header(2, len(body)) + body


def _context(number: int, *contents: bytes, result: int = 0) -> bytes:
    return sub_item(0x21, bytes((number, 0, result, 0)) + b"".join(contents))


GOOD = _context(1, sub_item(0x40, IMPLICIT.encode()))

CASES = (
    _asked("garbage", bytes(range(200, 256)), "unknown-pdu", UNKNOWN),
    _asked("http", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "unknown-pdu", UNKNOWN),
    _asked("tls-alert", b"\x15\x03\x03\x00\x02\x02\x46" * 3, "unknown-pdu", UNKNOWN),
    _asked("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", "unknown-pdu", UNKNOWN),
    _asked("zero-type", bytes(64), "unknown-pdu", UNKNOWN),
    _asked("rq", RQ.encode(), "unexpected-pdu", UNEXPECTED),
    _asked("p-data", p_data(item(command(0x101), 3)), "unexpected-pdu", UNEXPECTED),
    _asked("release-rq", pdu.RELEASE_RQ, "unexpected-pdu", UNEXPECTED),
    _asked("release-rp", pdu.RELEASE_RP, "unexpected-pdu", UNEXPECTED),
    _asked("ac-without-a-body", _header(2, 0), "wrong-length"),
    _asked("ac-too-short", _header(2, 67) + bytes(67), "wrong-length"),
    _asked("ac-of-4-gib", _header(2, 0xFFFFFFFF), "pdu-over-limit"),
    _asked("ac-over-256-kib", _header(2, 256 * 1024 + 1), "pdu-over-limit"),
    _asked("rj-of-4-gib", _header(3, 0xFFFFFFFF), "wrong-length"),
    _asked("rj-of-no-bytes", _header(3, 0), "wrong-length"),
    _asked("abort-of-5-bytes", _header(7, 5) + bytes(5), "wrong-length"),
    _asked("sub-item-past-its-item", _ac(_context(1, b"\x40\x00\x00\xff" + IMPLICIT.encode())), "item-past-its-end"),
    _asked("item-past-the-pdu", _ac(GOOD, b"\x50\x00\xff\xff"), "item-past-its-end"),
    _asked("cut-item-header", _ac(GOOD, b"\x50\x00"), "item-past-its-end"),
    _asked("context-of-3-bytes", _ac(sub_item(0x21, b"\x01\0\0")), "item-past-its-end"),
    _asked("role-shorter-than-its-uid", _ac(GOOD, sub_item(0x50, sub_item(0x54, b"\x00\x0b1.2"))), "item-past-its-end"),
    _asked("extended-shorter-than-its-uid", _ac(GOOD, sub_item(0x50, sub_item(0x56, b"\x00\x40" + CT.encode()))), "item-past-its-end"),
    _asked("maximum-length-of-2-bytes", _ac(GOOD, sub_item(0x50, sub_item(0x51, b"\0\0"))), "wrong-item-length"),
    _asked("maximum-length-of-7", _ac(GOOD, sub_item(0x50, sub_item(0x51, b"\0\0\0\x07"))), "maximum-length-too-small"),
    _asked("even-context-id", _ac(_context(2, sub_item(0x40, IMPLICIT.encode()))), "even-context-id"),
    _asked("repeated-context-id", _ac(GOOD, GOOD), "repeated-context-id"),
    _asked("60000-empty-items", _ac(GOOD, sub_item(0x99, b"") * 60000), "too-many-items"),
)
"""Each ends the association before it stands."""

USELESS = (
    _asked("no-context-at-all", _ac(), "", None),
    _asked("every-context-refused", _ac(*(_context(n, sub_item(0x40, b""), result=3) for n in (1, 3, 5))), "", None),
    _asked("contexts-nobody-asked-for", _ac(*(_context(n, sub_item(0x40, IMPLICIT.encode())) for n in range(201, 256, 2))), "", None),
    _asked("accepted-in-another-syntax", _ac(*(_context(n, sub_item(0x40, b"1.2.840.10008.1.2.4.50")) for n in (1, 3, 5))), "", None),
    _asked("accepted-without-a-syntax", _ac(*(_context(n) for n in (1, 3, 5))), "", None),
    _asked("64-kib-item", _ac(sub_item(0x50, sub_item(0x55, b"A" * 65000))), "", None),
)
"""Lawful by their form, and of no use: an association that takes nothing."""
