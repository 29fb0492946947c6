"""The one place for the benchmark's wire images (PS3.8 §9.3, PS3.7 §6.3): built once, patched in place, checked afterwards."""

from __future__ import annotations

import hashlib
import socket
import struct
from collections.abc import Iterator

from bench.dicom import heads
from bench.dicom.heads import CT, uid

EXPLICIT_LE = b"1.2.840.10008.1.2.1"
CONTEXT = 1
STUDY = 50  # objects of one study


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
    """Accepts every context of the RQ body: Explicit VR Little Endian where it is offered, else the first transfer syntax."""
    answers = b""
    for kind, inner in items(rq[68:]):
        if kind == 0x20:
            offered = [value for k, value in items(inner[4:]) if k == 0x40]
            chosen = EXPLICIT_LE if EXPLICIT_LE in (o.rstrip(b"\0") for o in offered) else offered[0]
            answers += item(0x21, bytes([inner[0], 0, 0, 0]) + item(0x40, chosen))
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


def command(values: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(struct.pack("<HHI", 0, number, len(value)) + value for number, value in values)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def fields(command_set: bytes) -> dict[int, tuple[int, int]]:
    """Element number -> (first byte, end) of its value in a command set (Implicit LE)."""
    out: dict[int, tuple[int, int]] = {}
    at = 0
    while at + 8 <= len(command_set):
        _, number, length = struct.unpack_from("<HHI", command_set, at)
        out[number] = (at + 8, at + 8 + length)
        at += 8 + length
    return out


def values(command_set: bytes) -> dict[int, bytes]:
    """Element number -> value of a command set."""
    return {number: command_set[begin:end] for number, (begin, end) in fields(command_set).items()}


def names(index: int, number: int) -> tuple[bytes, bytes]:
    """(SOP Instance UID, Study Instance UID) of the `number`-th object of association `index`; the same in every measurement."""
    base = (index + 1) * 10**9
    return uid(base + number), uid(10**15 + base + number // STUDY)


class DataSets:
    """The data sets of the objects of one size: a head by the object's number, then the same `tail`."""

    def __init__(self, size: int, defined: bool = False) -> None:
        self.variants = [
            (v, v.index(b"\x08\0\x18\0UI") + 8, self._study(v)) for v in (heads.head(n, defined) for n in range(len(heads.ENDS)))
        ]
        self.tail = heads.tail(size)

    @staticmethod
    def _study(head: bytes) -> int:
        """Where the top-level Study UID's value begins: the nested ones are other numbers."""
        return head.index(b"\x20\0\x0d\0UI" + struct.pack("<H", len(uid(0))) + uid(0)) + 8

    def head(self, sop: bytes, study: bytes, number: int) -> bytes:
        """The first bytes of a data set; `tail` follows them."""
        head, at_sop, at_study = self.variants[number % len(self.variants)]
        data = bytearray(head)
        data[at_sop : at_sop + len(sop)] = sop
        data[at_study : at_study + len(study)] = study
        return bytes(data)

    def digest(self, sop: bytes, study: bytes, number: int) -> str:
        """sha256 of a data set as the receiver must have it."""
        found = hashlib.sha256(self.head(sop, study, number))
        found.update(self.tail)
        return found.hexdigest()


class Image:
    """One C-STORE as wire bytes for a maximum PDU length; `patch` makes it one object, `wire` is then sent as it is.

    The data set's bytes lie in PDVs of `maximum` - 6 bytes; everything that is patched lies in the command and the first PDV.
    """

    def __init__(self, sets: DataSets, maximum: int) -> None:
        self.sets = sets
        asked = [(0x0002, CT), (0x0100, struct.pack("<H", 1)), (0x0110, bytes(2)), (0x0700, bytes(2)), (0x0800, struct.pack("<H", 1))]
        first = command([*asked, (0x1000, uid(0))])
        where = fields(first)
        self._message, self._sop_command = where[0x0110][0] + 12, where[0x1000][0] + 12
        self.wire = bytearray(pdu(4, struct.pack(">IBB", len(first) + 2, CONTEXT, 3) + first))
        self._data = len(self.wire) + 12
        tail = memoryview(sets.tail)
        piece = maximum - 6 - heads.LENGTH  # of the tail, in the first PDV
        before = sets.variants[0][0]
        while tail:
            body, tail = tail[:piece], tail[piece:]
            length = len(before) + len(body) + 2
            self.wire += struct.pack(">BxIIBB", 4, length + 4, length, CONTEXT, 0 if tail else 2)
            self.wire += before
            self.wire += body
            before, piece = b"", maximum - 6
        self._width = len(uid(0))

    def patch(self, message: int, sop: bytes, study: bytes, number: int) -> None:
        w, n, data = self.wire, self._width, self._data
        head, at_sop, at_study = self.sets.variants[number % len(self.sets.variants)]
        w[data : data + heads.LENGTH] = head
        w[self._message : self._message + 2] = struct.pack("<H", message)
        w[self._sop_command : self._sop_command + n] = sop
        w[data + at_sop : data + at_sop + n] = sop
        w[data + at_study : data + at_study + n] = study


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


class Answers:
    """Makes the C-STORE-RSP or C-ECHO-RSP with status 0000 to a command; a command like the last one costs a comparison and two patches."""

    def __init__(self) -> None:
        self._context = -1
        self._like: tuple[bytes, bytes, bytes] = (b"", b"", b"")
        self._at = (0, 0, 0)  # message id, SOP Instance UID, its end: in the command
        self._out = bytearray()
        self._into = (0, 0)

    def to(self, asked: bytes, context: int) -> tuple[bytes, bytearray]:
        """(SOP Instance UID, the answer's PDU: valid until the next call)."""
        message, sop, end = self._at
        if context == self._context and (asked[:message], asked[message + 2 : sop], asked[end:]) == self._like:
            out, (a, b) = self._out, self._into
            out[a : a + 2] = asked[message : message + 2]
            name = asked[sop:end]
            out[b : b + end - sop] = name
            return name, out
        return self._learn(asked, context)

    def _learn(self, asked: bytes, context: int) -> tuple[bytes, bytearray]:
        where = fields(asked)
        request = values(asked)
        kind = struct.pack("<H", struct.unpack("<H", request[0x0100])[0] | 0x8000)
        body = [(0x0002, request[0x0002]), (0x0100, kind), (0x0120, request[0x0110]), (0x0800, b"\x01\x01"), (0x0900, bytes(2))]
        sop = request.get(0x1000, b"")
        if 0x1000 in request:
            body.append((0x1000, sop))
            (message, _), (begin, end) = where[0x0110], where[0x1000]
            self._at = (message, begin, end)
            self._like = (asked[:message], asked[message + 2 : begin], asked[end:])
            self._context = context
        data = command(body)
        self._out = bytearray(pdu(4, struct.pack(">IBB", len(data) + 2, context, 3) + data))
        answered = fields(data)
        self._into = (answered[0x0120][0] + 12, answered[0x1000][0] + 12 if 0x1000 in answered else 0)
        return sop, self._out
