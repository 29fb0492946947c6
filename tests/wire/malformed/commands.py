"""The one place for command sets that a hostile or broken peer sends where a request, or a C-STORE-RSP, is due (dicom.md §8, list 3).

Written with `struct` alone. `fault` is the word of `command.FAULTS`, "" where `read` takes the set and the caller has to judge it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

CT = b"1.2.840.10008.5.1.4.1.1.2\0"
UID = b"1.2.826.0.1.3680043.8.498.1\0"
VERIFICATION = b"1.2.840.10008.1.1\0"


@dataclass(frozen=True, slots=True)
class Case:
    """One command set, and whether a data set follows."""

    name: str
    data: bytes
    fault: str = ""
    data_set: bool = False


def element(number: int, value: bytes | int, *, group: int = 0, size: int | None = None) -> bytes:
    """Implicit LE; a number is a US, `size` lies about the length."""
    raw = struct.pack("<H", value) if isinstance(value, int) else value
    return struct.pack("<HHI", group, number, len(raw) if size is None else size) + raw


def body(*leave: int, **other: bytes | int) -> bytes:
    """The elements of a C-STORE-RQ of Message ID 7 without those in `leave`, with `x0110=…` in place of what stands there."""
    values: dict[int, bytes | int] = {0x2: CT, 0x100: 0x0001, 0x110: 7, 0x700: 0, 0x800: 0x0001, 0x1000: UID}
    values.update({int(name[1:], 16): value for name, value in other.items()})
    return b"".join(element(number, values[number]) for number in sorted(values) if number not in leave)


def whole(elements: bytes, length: int | None = None) -> bytes:
    """Behind a group length, which may lie."""
    return element(0, struct.pack("<I", len(elements) if length is None else length)) + elements


def request(*leave: int, **other: bytes | int) -> bytes:
    """A whole C-STORE-RQ so changed."""
    return whole(body(*leave, **other))


REQUESTS = (
    Case("no-affected-sop-class", request(0x2), "no-sop-class", True),
    Case("empty-sop-class", request(x0002=b""), "no-sop-class", True),
    Case("no-sop-instance", request(0x1000), "no-sop-instance", True),
    Case("sop-instance-of-nuls", request(x1000=bytes(64)), "no-sop-instance", True),
    Case("no-message-id", request(0x110), "no-message-id", True),
    Case("no-command-field", request(0x100), "no-command-field", True),
    Case("no-data-set-type", request(0x800), "no-data-set-type"),
    Case("group-length-too-small", whole(body(), 4), "group-length", True),
    Case("group-length-too-large", whole(body(), 0xFFFFFFFF), "group-length", True),
    Case("group-length-of-2-bytes", element(0, 7) + body(), "bad-length", True),
    Case("message-id-of-4-bytes", request(x0110=bytes(4)), "bad-length", True),
    Case("status-type-of-no-bytes", request(x0800=b""), "bad-length"),
    Case("message-id-twice", whole(body() + element(0x110, 8)), "repeated", True),
    Case("an-element-of-group-8", whole(body() + element(0x18, UID, group=8)), "wrong-group", True),
    Case("element-past-the-end", whole(body() + element(0x1031, b"", size=0x7FFFFFFF)), "past-end", True),
    Case("half-a-header", whole(body() + b"\0\0\x31"), "past-end", True),
    Case("an-answer-nobody-asked-for", request(0x110, x0100=0x8001, x0120=7, x0900=0, x0800=0x0101)),  # DCMTK ffb1a4a3
    Case("an-echo-answer", whole(body(0x110, 0x700, 0x1000, x0002=VERIFICATION, x0100=0x8030, x0120=7, x0800=0x0101, x0900=0))),
    Case("a-store-without-data-set", request(x0800=0x0101)),
)
"""Each ends the sender's association with an A-ABORT: no request that could be answered."""

ODD = (
    Case("message-id-0", request(x0110=0), "", True),
    Case("priority-of-its-own", request(x0700=0x7777), "", True),
    Case("unordered", whole(element(0x1000, UID) + body(0x1000)), "", True),
    Case("no-group-length", body(), "", True),
    Case("odd-sop-instance", request(x1000=UID[:-1]), "", True),
    Case("an-error-comment-of-controls", whole(body() + element(0x902, b"\x1b[2J\r\n\0\0")), "", True),
    Case("an-offending-element-list", whole(body() + element(0x901, bytes(4000))), "", True),
)
"""Tolerated: the object is stored."""

FIELDS = (0x0000, 0x0002, 0x0010, 0x0020, 0x0021, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150, 0x0FF0, 0x7FFF)
UNKNOWN = (
    *(Case(f"command-field-{field:04x}", whole(body(0x700, x0100=field, x0800=0x0101))) for field in FIELDS),
    Case("a-crafted-find", whole(body(0x700, 0x1000, x0100=0x0020, x0800=1)), "", True),  # CVE-2026-44628
)
"""No request of a storage context: 0211, and the association goes on."""


def answer(number: int, *leave: int, **other: bytes | int) -> bytes:
    """A C-STORE-RSP to Message ID `number` so changed."""
    values: dict[str, bytes | int] = {"x0100": 0x8001, "x0120": number, "x0800": 0x0101, "x0900": 0, **other}
    return whole(body(0x110, 0x700, *leave, **values))


def answers(number: int) -> tuple[Case, ...]:
    """What a member may say in place of its answer to Message ID `number`; none of it is one."""
    good = body(0x110, 0x700, x0100=0x8001, x0120=number, x0800=0x0101, x0900=0)
    return (
        Case("another-message-id", answer(number ^ 0x55)),
        Case("message-id-0", answer(0)),
        Case("no-responded-id", answer(number, 0x120), "no-responded-id"),
        Case("no-status", answer(number, 0x900), "no-status"),
        Case("no-data-set-type", answer(number, 0x800), "no-data-set-type"),
        Case("no-command-field", answer(number, 0x100), "no-command-field"),
        Case("status-of-4-bytes", answer(number, x0900=bytes(4)), "bad-length"),
        Case("status-twice", whole(good + element(0x900, 0)), "repeated"),
        Case("group-length-too-small", whole(good, 2), "group-length"),
        Case("group-length-of-4-gib", whole(good, 0xFFFFFFFF), "group-length"),
        Case("element-of-2-gib", whole(good + element(0x902, b"", size=0x7FFFFFFE)), "past-end"),
        Case("half-a-header", whole(good + b"\0\0\x02\x09"), "past-end"),
        Case("patient-in-the-command-set", whole(good + element(0x20, b"12", group=0x10)), "wrong-group"),
        Case("a-data-set-announced", answer(number, x0800=0x0001), "", True),
        Case("pending", answer(number, x0900=0xFF00)),
        Case("pending-with-a-warning", answer(number, x0900=0xFF01)),
        Case("an-echo-answer", answer(number, x0100=0x8030)),
        Case("a-find-answer", answer(number, x0100=0x8020)),
        Case("a-request", whole(body(x0110=number)), "", True),
        Case("a-cancel", whole(body(0x110, 0x700, 0x1000, x0100=0x0FFF, x0120=number, x0800=0x0101))),
        Case("nothing", b"", "empty"),
        Case("zeros", bytes(64), "bad-length"),
    )
