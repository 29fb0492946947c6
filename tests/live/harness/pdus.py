"""The one place for the harness's own DICOM upper layer codec (PS3.8 §9.3), written apart from `gurney.wire` on purpose."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

RQ, AC, RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = 1, 2, 3, 4, 5, 6, 7
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLEMENTATION = "2.25.271828182845904523536028747135266249"


class Broken(Exception):
    """The peer closed, aborted or spoke nonsense; the text says which."""


@dataclass(frozen=True)
class Offer:
    """One presentation context of an A-ASSOCIATE-RQ."""

    id: int
    abstract: str
    transfers: tuple[str, ...]


@dataclass
class Request:
    """What an A-ASSOCIATE-RQ said."""

    called: str
    calling: str
    head: bytes  # bytes 11-74 of the PDU: both AE titles and the reserved 32
    offers: list[Offer] = field(default_factory=list)
    max_length: int = 16384
    items: dict[int, bytes] = field(default_factory=dict)  # user information sub-items by type


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def title(text: str) -> bytes:
    return text.encode("latin-1").ljust(16)[:16]


def user_information(max_length: int, more: bytes = b"") -> bytes:
    return item(0x50, item(0x51, struct.pack(">I", max_length)) + item(0x52, IMPLEMENTATION.encode()) + item(0x55, b"HARNESS") + more)


def associate_rq(called: str, calling: str, offers: Iterable[Offer], max_length: int = 16384, more: bytes = b"") -> bytes:
    body = struct.pack(">H2x", 1) + title(called) + title(calling) + bytes(32) + item(0x10, APPLICATION_CONTEXT.encode())
    for o in offers:
        inner = item(0x30, o.abstract.encode()) + b"".join(item(0x40, t.encode()) for t in o.transfers)
        body += item(0x20, bytes([o.id, 0, 0, 0]) + inner)
    return pdu(RQ, body + user_information(max_length, more))


def associate_ac(head: bytes, answers: Iterable[tuple[int, int, str]], max_length: int = 16384) -> bytes:
    """`answers` are (context id, result, transfer syntax)."""
    body = struct.pack(">H2x", 1) + head + item(0x10, APPLICATION_CONTEXT.encode())
    for ident, result, transfer in answers:
        body += item(0x21, bytes([ident, 0, result, 0]) + item(0x40, transfer.encode()))
    return pdu(AC, body + user_information(max_length))


def reject(result: int, source: int, reason: int) -> bytes:
    return pdu(RJ, bytes([0, result, source, reason]))


def abort(source: int = 0, reason: int = 0) -> bytes:
    return pdu(ABORT, bytes([0, 0, source, reason]))


def items(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        yield kind, body[at + 4 : at + 4 + length]
        at += 4 + length


def _users(body: bytes) -> tuple[int, dict[int, bytes]]:
    found = dict(items(body))
    return struct.unpack(">I", found[0x51])[0] if 0x51 in found else 0, found


def parse_rq(body: bytes) -> Request:
    out = Request(body[4:20].decode("latin-1").strip(" \0"), body[20:36].decode("latin-1").strip(" \0"), body[4:68])
    for kind, inner in items(body[68:]):
        if kind == 0x20:
            subs = list(items(inner[4:]))
            abstract = next((v.decode("latin-1").strip("\0 ") for k, v in subs if k == 0x30), "")
            out.offers.append(Offer(inner[0], abstract, tuple(v.decode("latin-1").strip("\0 ") for k, v in subs if k == 0x40)))
        elif kind == 0x50:
            out.max_length, out.items = _users(inner)
    return out


def parse_ac(body: bytes) -> tuple[dict[int, tuple[int, str]], int]:
    """Context id -> (result, transfer syntax), and the peer's maximum length (0 = none)."""
    answers: dict[int, tuple[int, str]] = {}
    maximum = 0
    for kind, inner in items(body[68:]):
        if kind == 0x21:
            transfer = next((v.decode("latin-1").strip("\0 ") for k, v in items(inner[4:]) if k == 0x40), "")
            answers[inner[0]] = (inner[2], transfer)
        elif kind == 0x50:
            maximum, _ = _users(inner)
    return answers, maximum


def pdv(context: int, control: int, data: bytes) -> bytes:
    """`control`: bit 0 command, bit 1 last (PS3.8 Annex E.2)."""
    return struct.pack(">IBB", len(data) + 2, context, control) + data


def pdata(*pdvs: bytes) -> bytes:
    return pdu(DATA, b"".join(pdvs))


def element(group: int, number: int, value: bytes) -> bytes:
    if len(value) % 2:
        value += b"\0"
    return struct.pack("<HHI", group, number, len(value)) + value


def command(values: dict[int, int | str]) -> bytes:
    """A command set, Implicit LE (PS3.7 §6.3.1): numbers are US, texts are UI."""
    body = b""
    for number in sorted(values):
        value = values[number]
        body += element(0, number, struct.pack("<H", value) if isinstance(value, int) else value.encode("latin-1"))
    return element(0, 0, struct.pack("<I", len(body))) + body


def parse_command(data: bytes) -> dict[int, bytes]:
    out: dict[int, bytes] = {}
    at = 0
    while at + 8 <= len(data):
        _, number, length = struct.unpack_from("<HHI", data, at)
        out[number] = data[at + 8 : at + 8 + length]
        at += 8 + length
    return out


def number(values: dict[int, bytes], tag: int) -> int:
    return int(struct.unpack("<H", values[tag][:2])[0]) if tag in values else -1


def text(values: dict[int, bytes], tag: int) -> str:
    return values.get(tag, b"").decode("latin-1").rstrip("\0 ")


def store_rq(sop_class: str, sop_instance: str, message: int, priority: int = 0, more: dict[int, int | str] | None = None) -> bytes:
    base: dict[int, int | str] = {2: sop_class, 0x100: 0x0001, 0x110: message, 0x700: priority, 0x800: 0x0001, 0x1000: sop_instance}
    return command({**base, **(more or {})})


def echo_rq(message: int) -> bytes:
    return command({2: VERIFICATION, 0x100: 0x0030, 0x110: message, 0x800: 0x0101})


def response(request: dict[int, bytes], status: int, message: int | None = None) -> bytes:
    values: dict[int, int | str] = {
        2: text(request, 2),
        0x100: number(request, 0x100) | 0x8000,
        0x120: number(request, 0x110) if message is None else message,
        0x800: 0x0101,
        0x900: status,
    }
    if 0x1000 in request:
        values[0x1000] = text(request, 0x1000)
    return command(values)


def message_pdus(context: int, command_set: bytes, data: bytes | None, maximum: int) -> list[bytes]:
    """One message as P-DATA-TF PDUs, one PDV each, whose variable field is at most `maximum` bytes."""
    room = (maximum or 131072) - 6
    out = [pdata(pdv(context, 3, command_set))]
    if data is not None:
        for at in range(0, max(len(data), 1), room):
            piece = data[at : at + room]
            out.append(pdata(pdv(context, 2 if at + room >= len(data) else 0, piece)))
    return out


def exactly(sock: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        piece = sock.recv(min(count, 1 << 20))
        if not piece:
            raise Broken("closed")
        parts.append(piece)
        count -= len(piece)
    return b"".join(parts)


def read_pdu(sock: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxI", exactly(sock, 6))
    return kind, exactly(sock, length)


def pdvs(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(context id, control header, fragment) of one P-DATA-TF body."""
    at = 0
    while at + 6 <= len(body):
        length, context, control = struct.unpack_from(">IBB", body, at)
        yield context, control, body[at + 6 : at + 4 + length]
        at += 4 + length


def offers_for(pairs: Sequence[tuple[str, str]]) -> list[Offer]:
    """One context a pair, ids 1, 3, 5 … in the order given, repeats left out."""
    return [Offer(2 * i + 1, a, (t,)) for i, (a, t) in enumerate(dict.fromkeys(pairs))]
