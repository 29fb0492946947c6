"""The one place for what hostile or broken peers send to the upper layer (dicom.md §8, lists 1 to 3), each with its exact answer.

`when`: "connected" (nothing said yet) or "open" (an association stands; sent by senders and by members). `answer`: the PDU that
must come back, or None where the bytes are not malformed for this layer. `why`: the word in the Aborted event.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gurney.wire.dicom import pdu, pdv
from gurney.wire.dicom.items import item as sub_item
from tests.wire.tape import CT, IMPLICIT, RQ, command, item, p_data

MAXIMUM = 131072


@dataclass(frozen=True, slots=True)
class Case:
    """One input and its answer."""

    name: str
    when: str
    data: bytes
    answer: bytes | None
    why: str = ""


USER, INVALID = pdu.Abort(0, 0).encode(), pdu.Abort(2, 6).encode()
UNKNOWN, UNEXPECTED = pdu.Abort(2, 1).encode(), pdu.Abort(2, 2).encode()


def _connected(name: str, data: bytes, why: str, answer: bytes | None = USER) -> Case:
    return Case(name, "connected", data, answer, why)


def _open(name: str, data: bytes, why: str, answer: bytes | None = INVALID) -> Case:
    return Case(name, "open", data, answer, why)


def _header(kind: int, length: int) -> bytes:
    return struct.pack(">BxI", kind, length)


def _rq(*contents: bytes, called: bytes = b"PACS", application: bytes = pdu.APPLICATION_CONTEXT.encode(), version: int = 1) -> bytes:
    body = struct.pack(">HH", version, 0) + called.ljust(16)[:16] + b"CT1".ljust(16) + bytes(32)
    body += sub_item(0x10, application) + b"".join(contents)
    return _header(1, len(body)) + body


def _context(number: int, *contents: bytes) -> bytes:
    return sub_item(0x20, bytes((number, 0, 0, 0)) + b"".join(contents))


GOOD = _context(1, sub_item(0x30, CT.encode()), sub_item(0x40, IMPLICIT.encode()))

GARBAGE = (
    _connected("garbage", bytes(range(200, 256)), "unknown-pdu"),
    _connected("http", b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n", "unknown-pdu"),
    _connected("tls-hello", bytes.fromhex("160301020001000001fc0303") + bytes(500), "unknown-pdu"),
    _connected("hl7", b"\x0bMSH|^~\\&|A|B|C|D\r\x1c\r", "unknown-pdu"),
    _connected("zero-type", bytes(64), "unknown-pdu"),
    _connected("unknown-type", _header(8, 4) + bytes(4), "unknown-pdu"),
    _connected("rq-without-a-body", _header(1, 0), "wrong-length"),
    _connected("rq-too-short", _header(1, 67) + bytes(67), "wrong-length"),
    _connected("rq-of-4-gib", _header(1, 0xFFFFFFFF), "pdu-over-limit"),  # pynetdicom#1086
    _connected("rq-over-256-kib", _header(1, 256 * 1024 + 1), "pdu-over-limit"),
    _connected("p-data-first", p_data(item(command(), 3)), "unexpected-pdu"),
    _connected("ac-first", pdu.AssociateAC().encode(), "unexpected-pdu"),
    _connected("release-first", pdu.RELEASE_RQ, "unexpected-pdu"),
    _connected("release-of-5-bytes", _header(5, 5) + bytes(5), "wrong-length"),
    _open("rq-twice", RQ.encode(), "unexpected-pdu", UNEXPECTED),
    _open("ac-twice", pdu.AssociateAC().encode(), "unexpected-pdu", UNEXPECTED),
    _open("rj-when-open", pdu.AssociateRJ(1, 1, 1).encode(), "unexpected-pdu", UNEXPECTED),
    _open("release-rp-unasked", pdu.RELEASE_RP, "unexpected-pdu", UNEXPECTED),
    _open("unknown-type-when-open", _header(0xFF, 0xFFFFFFFF), "unknown-pdu", UNKNOWN),
    _open("http-when-open", b"POST / HTTP/1.1\r\n\r\n", "unknown-pdu", UNKNOWN),
    _open("release-of-4-gib", _header(5, 0xFFFFFFFF), "wrong-length"),
    _open("abort-of-no-bytes", _header(7, 0), "wrong-length"),
)

ASSOCIATE = (
    _connected("sub-item-past-its-item", _rq(_context(1, b"\x30\x00\x00\xff" + CT.encode())), "item-past-its-end"),
    _connected("item-past-the-pdu", _rq(GOOD, b"\x50\x00\xff\xff"), "item-past-its-end"),
    _connected("cut-item-header", _rq(GOOD, b"\x50\x00"), "item-past-its-end"),
    _connected("context-of-3-bytes", _rq(sub_item(0x20, b"\x01\0\0")), "item-past-its-end"),
    _connected(  # dicom-rs a606f5e4
        "extended-shorter-than-its-uid", _rq(GOOD, sub_item(0x50, sub_item(0x56, b"\x00\x40" + CT.encode()))), "item-past-its-end"
    ),
    _connected("role-shorter-than-its-uid", _rq(GOOD, sub_item(0x50, sub_item(0x54, b"\x00\x0b1.2"))), "item-past-its-end"),
    _connected("user-identity-lies", _rq(GOOD, sub_item(0x50, sub_item(0x58, b"\x02\x01\xff\xffx"))), "item-past-its-end"),
    _connected("maximum-length-of-2-bytes", _rq(GOOD, sub_item(0x50, sub_item(0x51, b"\0\0"))), "wrong-item-length"),
    _connected("maximum-length-of-7", _rq(GOOD, sub_item(0x50, sub_item(0x51, b"\0\0\0\x07"))), "maximum-length-too-small"),
    _connected("even-context-id", _rq(_context(2)), "even-context-id"),
    _connected("context-id-0", _rq(_context(0)), "even-context-id"),
    _connected("repeated-context-id", _rq(GOOD, GOOD), "repeated-context-id"),
    _connected("129-contexts", _rq(*(_context((2 * n + 1) % 256) for n in range(129))), "repeated-context-id"),
    _connected("60000-empty-items", _rq(GOOD, sub_item(0x99, b"") * 60000), "too-many-items"),
    _connected("0-contexts", _rq(), "", None),  # 1/1/1 is the negotiation's word
    _connected("64-kib-item", _rq(GOOD, sub_item(0x50, sub_item(0x55, b"A" * 65000))), "", None),
    _connected("nul-in-the-title", _rq(GOOD, called=b"../../\0\r\n"), "", None),
    _connected("abstract-syntax-is-a-path", _rq(_context(1, sub_item(0x30, b"../../etc/passwd"))), "", None),
    _connected("protocol-version-2", _rq(GOOD, version=2), "", pdu.AssociateRJ(1, 2, 2).encode()),
    _connected("other-application", _rq(GOOD, application=b"1.2.3"), "", pdu.AssociateRJ(1, 1, 2).encode()),
)

DATA = item(b"0123456789")
MESSAGES = (
    _open("pdv-length-0", p_data(item(b"", 3, size=0)), "pdv-too-short"),
    _open("pdv-length-1", p_data(item(b"", 3, size=1)), "pdv-too-short"),
    _open("pdv-past-its-pdu", p_data(item(command(), 3, size=200)), "pdv-past-its-pdu"),
    _open("pdv-length-2-31", p_data(item(b"", 3, size=0x7FFFFFFE)), "pdv-past-its-pdu"),
    _open("pdv-length-2-31-and-more", p_data(item(b"", 3, size=0x80000001)), "pdv-past-its-pdu"),  # DCMTK 1549d8cc
    _open("pdv-length-2-32", p_data(item(b"", 3, size=0xFFFFFFFF)), "pdv-past-its-pdu"),
    _open("pdu-of-no-pdv", p_data(), "pdv-past-its-pdu"),
    _open("pdu-of-5-bytes", p_data(bytes(5)), "pdv-past-its-pdu"),
    _open("bytes-behind-the-pdv", p_data(item(command(), 3), b"\0\0\0"), "pdv-past-its-pdu"),
    _open("pdu-over-the-limit", _header(4, MAXIMUM + 1), "pdu-over-limit"),
    _open("pdu-of-4-gib", _header(4, 0xFFFFFFFF), "pdu-over-limit"),
    _open("unaccepted-context", p_data(item(command(), 3, context=5)), "context-not-accepted"),
    _open("unproposed-context", p_data(item(command(), 3, context=99)), "context-not-accepted"),
    _open("context-0", p_data(item(command(), 3, context=0)), "context-not-accepted"),
    _open("data-before-command", p_data(DATA), "data-before-command"),
    _open("data-inside-command", p_data(item(command(), 1), DATA), "data-before-command"),
    _open("command-inside-data", p_data(item(command(), 3), DATA, item(command(), 3)), "interleaved-messages"),
    _open("two-commands-in-a-row", p_data(item(command(), 3)) * 2, "interleaved-messages"),
    _open("context-changes-in-command", p_data(item(command(), 1), item(b"", 3, context=1)), "interleaved-messages"),
    _open("context-changes-in-data", p_data(item(command(), 3), item(b"", 0, context=1)), "interleaved-messages"),
    _open("data-after-0101", p_data(item(command(0x101), 3)) + p_data(DATA), "data-before-command"),
    _open("data-after-0101-in-its-pdu", p_data(item(command(0x101), 3), DATA), "pdv-after-the-last"),
    _open("a-second-message-in-a-pdu", p_data(item(command(), 3), item(b"ab", 2), item(command(), 3)), "pdv-after-the-last"),
    _open("command-of-17-kib", pdv.fragment_command(3, command(size=17000), 4096), "command-over-limit"),
    _open("command-without-end", p_data(item(bytes(1000), 1)) * 20, "command-over-limit"),
    _open("command-in-one-pdv-over-the-limit", p_data(item(bytes(MAXIMUM - 6), 1)), "command-over-limit"),
    # what only the command's reader can judge passes here: no SOP class, wrong group length, Message ID 0, an answer nobody asked for
    _open("wrong-group-length", p_data(item(struct.pack("<HHII", 0, 0, 4, 9999) + command(0x101), 3)), "", None),
    _open("element-length-past-the-command", p_data(item(struct.pack("<HHI", 0, 0x110, 0xFFFFFFFF), 3)), "", None),
    _open("empty-command", p_data(item(b"", 3)), "", None),
)

CASES = (*GARBAGE, *ASSOCIATE, *MESSAGES)
