"""The one place for the benchmark's wire images (PS3.8 §9.3, PS3.7 §6.3): built once, patched in place, checked afterwards."""

from __future__ import annotations

import hashlib
import socket
import struct
from collections.abc import Iterator
from typing import Protocol


class Readable(Protocol):
    """What `struct.unpack_from` and slicing take."""

    def __getitem__(self, key: slice) -> bytes: ...


CT = b"1.2.840.10008.5.1.4.1.1.2\0"
EXPLICIT_LE = b"1.2.840.10008.1.2.1"
IMPLICIT_LE = b"1.2.840.10008.1.2"
VERIFICATION = b"1.2.840.10008.1.1"
CONTEXT = 1
UID_DIGITS = 30  # UIDs are `2.25.` and 30 digits, NUL-padded: every UID of a run has the same length


def uid(number: int) -> bytes:
    """A UID under 2.25 of fixed length, padded to an even one."""
    return b"2.25.1%029d\0" % number


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def associate_rq(called: bytes, calling: bytes, maximum: int) -> bytes:
    """One context: CT Image Storage in Explicit VR Little Endian."""
    context = item(0x20, bytes([CONTEXT, 0, 0, 0]) + item(0x30, CT.rstrip(b"\0")) + item(0x40, EXPLICIT_LE))
    user = item(0x50, item(0x51, struct.pack(">I", maximum)) + item(0x52, b"2.25.999"))
    head = struct.pack(">H2x", 1) + called.ljust(16) + calling.ljust(16) + bytes(32)
    return pdu(1, head + item(0x10, b"1.2.840.10008.3.1.1.1") + context + user)


def associate_ac(rq: bytes, maximum: int) -> bytes:
    """Accepts the first transfer syntax of every context of the RQ body."""
    answers = b""
    for kind, inner in items(rq[68:]):
        if kind == 0x20:
            transfer = next(value for k, value in items(inner[4:]) if k == 0x40)
            answers += item(0x21, bytes([inner[0], 0, 0, 0]) + item(0x40, transfer))
    user = item(0x50, item(0x51, struct.pack(">I", maximum)) + item(0x52, b"2.25.998"))
    return pdu(2, struct.pack(">H2x", 1) + rq[4:68] + item(0x10, b"1.2.840.10008.3.1.1.1") + answers + user)


def items(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        yield kind, body[at + 4 : at + 4 + length]
        at += 4 + length


def peer_maximum(ac: bytes) -> int:
    """The maximum length of an AC body, 131072 for none."""
    for kind, inner in items(ac[68:]):
        if kind == 0x50:
            for sub, value in items(inner):
                if sub == 0x51:
                    return int(struct.unpack(">I", value)[0]) or 131072
    return 16384


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    if vr == b"OW":
        return struct.pack("<HH2s2xI", group, number, vr, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def command(values: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(struct.pack("<HHI", 0, number, len(value)) + value for number, value in values)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


class Image:
    """One C-STORE as wire bytes for a maximum PDU length; `patch(i, …)` makes it the i-th object.

    `wire` is sent as it is. The data set's bytes lie in PDVs of `maximum` - 6 bytes; the patched elements lie in the first one.
    """

    def __init__(self, size: int, maximum: int) -> None:
        self.command = bytearray(
            command(
                [
                    (0x0002, CT),
                    (0x0100, struct.pack("<H", 1)),
                    (0x0110, struct.pack("<H", 0)),
                    (0x0700, struct.pack("<H", 0)),
                    (0x0800, struct.pack("<H", 1)),
                    (0x1000, uid(0)),
                ]
            )
        )
        head = b"".join(
            [
                element(0x0008, 0x0016, b"UI", CT),
                element(0x0008, 0x0018, b"UI", uid(0)),
                element(0x0008, 0x0060, b"CS", b"CT"),
                element(0x0010, 0x0010, b"PN", b"1^Bench "),
                element(0x0010, 0x0020, b"LO", b"BENCH1"),
                element(0x0020, 0x000D, b"UI", uid(0)),
            ]
        )
        pixels = (bytes(range(256)) * (size // 256 + 1))[: max(2, size - len(head) - 12) & ~1]
        self.data_set = head + element(0x7FE0, 0x0010, b"OW", pixels)
        room = maximum - 6
        first = pdu(4, struct.pack(">IBB", len(self.command) + 2, CONTEXT, 3) + self.command)
        pieces = [self.data_set[at : at + room] for at in range(0, len(self.data_set), room)]
        last = len(pieces) - 1
        self.wire = bytearray(first)
        for i, piece in enumerate(pieces):
            self.wire += pdu(4, struct.pack(">IBB", len(piece) + 2, CONTEXT, 2 if i == last else 0) + piece)
        start = 12  # of the command set in `wire`
        self._message = start + self.command.index(b"\0\0\x10\x01") + 8
        self._sop_command = start + self.command.rindex(b"\0\0\0\x10") + 8
        data = len(first) + 12
        self._sop_data = data + self.data_set.index(b"\x08\0\x18\0UI") + 8
        self._study = data + self.data_set.index(b"\x20\0\x0d\0UI") + 8
        self._shift = len(first) + 12
        self._width = len(uid(0))

    def patch(self, message: int, sop: bytes, study: bytes) -> None:
        w, n = self.wire, self._width
        struct.pack_into("<H", w, self._message, message)
        w[self._sop_command : self._sop_command + n] = sop
        w[self._sop_data : self._sop_data + n] = sop
        w[self._study : self._study + n] = study

    def digest(self, sop: bytes, study: bytes) -> str:
        """sha256 of the data set as the receiver must have it."""
        data, n = bytearray(self.data_set), self._width
        a, b = self._sop_data - self._shift, self._study - self._shift
        data[a : a + n] = sop
        data[b : b + n] = study
        return hashlib.sha256(data).hexdigest()


def exactly(sock: socket.socket, count: int) -> bytes:
    out = b""
    while len(out) < count:
        piece = sock.recv(count - len(out))
        if not piece:
            raise ConnectionError("closed by the peer")
        out += piece
    return out


def read_pdu(sock: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxI", exactly(sock, 6))
    return kind, exactly(sock, length)


def values(command_set: bytes) -> dict[int, bytes]:
    """Element number -> value of a command set (Implicit LE)."""
    out: dict[int, bytes] = {}
    at = 0
    while at + 8 <= len(command_set):
        _, number, length = struct.unpack_from("<HHI", command_set, at)
        out[number] = command_set[at + 8 : at + 8 + length]
        at += 8 + length
    return out


def answer(request: dict[int, bytes], context: int) -> bytes:
    """A C-STORE-RSP or C-ECHO-RSP with status 0000 as one P-DATA-TF."""
    field = struct.unpack("<H", request[0x0100])[0] | 0x8000
    body = [
        (0x0002, request[0x0002]),
        (0x0100, struct.pack("<H", field)),
        (0x0120, request[0x0110]),
        (0x0800, struct.pack("<H", 0x0101)),
        (0x0900, bytes(2)),
    ]
    if 0x1000 in request:
        body.append((0x1000, request[0x1000]))
    data = command(body)
    return pdu(4, struct.pack(">IBB", len(data) + 2, context, 3) + data)
