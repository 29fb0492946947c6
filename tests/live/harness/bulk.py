"""The one place for objects too large to hold: their bytes are made and hashed as they leave, hashed as they come, and kept nowhere."""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import objects, pdus
from .pdus import Broken
from .sender import Association

JPEG = "1.2.840.10008.1.2.4.50"  # encapsulated: the pixel data's length is undefined, its fragments have 32 bits each (PS3.5 §A.4)
FRAGMENT = 1 << 30  # bytes of one fragment
ITEM, END = 0xFFFEE000, 0xFFFEE0DD
GATHER = 32  # PDUs of one write


@dataclass(frozen=True)
class Large:
    """An object of `pixels` bytes of pixel data: one native element, or fragments when `encapsulated` (then with no limit to its size)."""

    sop_instance: str
    study: str
    pixels: int
    encapsulated: bool = False

    @property
    def pair(self) -> tuple[str, str]:
        return objects.CT, JPEG if self.encapsulated else pdus.EXPLICIT_LE

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The data set, a piece after another; a piece is valid until the next one is asked for. No two blocks of pixels are alike."""
        empty = objects.thing(self.study, self.sop_instance, size=0, transfer=self.pair[1])
        yield empty.data[:-12]  # without its empty pixel data
        if not self.encapsulated:
            yield struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", self.pixels)
            yield from self._blocks(self.pixels)
            return
        yield struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OB", 0xFFFFFFFF) + _item(ITEM, 0)
        left = self.pixels
        while left:
            yield _item(ITEM, min(left, FRAGMENT))
            yield from self._blocks(min(left, FRAGMENT))
            left -= min(left, FRAGMENT)
        yield _item(END, 0)

    def _blocks(self, size: int) -> Iterator[memoryview]:
        block = bytearray(random.Random(f"{self.sop_instance} {size}").randbytes(1 << 20))
        number = 0
        while size:
            struct.pack_into("<Q", block, number % 1000 * 1000, number)
            yield memoryview(block)[: min(size, len(block))]
            size -= min(size, len(block))
            number += 1


def _item(tag: int, length: int) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)


@dataclass
class Sent:
    """What was sent: `size` bytes of data set, their sha256, and the status and comment that came back."""

    size: int = 0
    sha: str = ""
    status: int = -1
    comment: str = ""


def store(a: Association, large: Large, halfway: Callable[[int], None] | None = None) -> Sent:
    """One C-STORE of `large` on an open association; `halfway(bytes so far)` is called behind every write."""
    context, room = a.accepted[large.pair], a.pdu_size - 6
    a.message += 1
    a.sock.sendall(pdus.pdata(pdus.pdv(context, 3, pdus.store_rq(large.pair[0], large.sop_instance, a.message))))
    sent, digest = Sent(), hashlib.sha256()
    gathered = bytearray(room * GATHER)
    header = struct.pack(">BxIIBB", pdus.DATA, room + 6, room + 2, context, 0)
    fill = 0

    def write(last: bool) -> None:
        with memoryview(gathered) as view:
            digest.update(view[:fill])
            parts: list[bytes | memoryview] = []
            for start in range(0, fill, room):
                size = min(room, fill - start)
                ends = last and start + size == fill
                whole = size == room and not ends
                parts.append(header if whole else struct.pack(">BxIIBB", pdus.DATA, size + 6, size + 2, context, 2 if ends else 0))
                parts.append(view[start : start + size])
            _all(a.sock, parts)
        sent.size += fill
        if halfway is not None:
            halfway(sent.size)

    for piece in large.pieces():
        at = 0
        while at < len(piece):
            if fill == len(gathered):  # not the last write: more is here
                write(False)
                fill = 0
            taken = min(len(piece) - at, len(gathered) - fill)
            gathered[fill : fill + taken] = piece[at : at + taken]
            fill, at = fill + taken, at + taken
    write(True)
    sent.sha = digest.hexdigest()
    sent.status = a.status()
    sent.comment = a.last_comment
    return sent


def _all(sock: socket.socket, parts: list[bytes | memoryview]) -> None:
    """`sendall` of several buffers."""
    left = sum(map(len, parts))
    while left:
        gone = sock.sendmsg(parts)
        left -= gone
        while parts and gone >= len(parts[0]):
            gone -= len(parts.pop(0))
        if gone:
            parts[0] = memoryview(parts[0])[gone:]


class Sink:
    """A member that hashes what it takes: `taken` maps a SOP Instance UID to (bytes, sha256). `reset_at`: RST behind that many bytes of
    an object, once; `cut` says where it was. While `answering` is cleared it takes objects and answers none; `lost` counts those it can no
    longer answer. `buffer`: bytes the kernel takes ahead of it, where that matters."""

    def __init__(self, max_length: int = 131072, buffer: int = 0) -> None:
        self.max_length = max_length
        self.reset_at: int | None = None
        self.taken: dict[str, tuple[int, str]] = {}
        self.cut = self.lost = 0
        self.answering = threading.Event()
        self.answering.set()
        self.conns: list[socket.socket] = []
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(128)
        self.port: int = self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.conns.append(conn)
            threading.Thread(target=self._run, args=(conn,), daemon=True).start()

    def _run(self, conn: socket.socket) -> None:
        with contextlib.suppress(OSError, Broken, struct.error):
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            kind, body = pdus.read_pdu(conn)
            if kind == pdus.RQ:
                rq = pdus.parse_rq(body)
                conn.sendall(pdus.associate_ac(rq.head, [(o.id, 0, o.transfers[0]) for o in rq.offers], self.max_length))
                Taking(self, conn).run()
        conn.close()

    def close(self) -> None:
        self.answering.set()
        self.sock.close()
        for conn in self.conns:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)


class Taking:
    """One association: PDUs are walked where they were received, fragments of data sets go into a hash."""

    def __init__(self, sink: Sink, conn: socket.socket) -> None:
        self.sink, self.conn = sink, conn
        self.view = memoryview(bytearray(1 << 20))
        self.at = self.fill = 0
        self.command: dict[int, bytes] = {}
        self.digest, self.size = hashlib.sha256(), 0

    def run(self) -> None:
        while True:
            kind, left = struct.unpack(">BxI", self._exactly(6))
            if kind == pdus.RELEASE_RQ:
                self.conn.sendall(pdus.pdu(pdus.RELEASE_RP, bytes(4)))
                return
            if kind != pdus.DATA:
                return
            while left:
                length, context, control = struct.unpack(">IBB", self._exactly(6))
                self._fragment(context, control, length - 2)
                left -= 4 + length

    def _more(self) -> None:
        self.at = 0
        self.fill = self.conn.recv_into(self.view)
        if not self.fill:
            raise Broken("closed")

    def _exactly(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            if self.at == self.fill:
                self._more()
            piece = bytes(self.view[self.at : min(self.fill, self.at + count - len(out))])
            self.at += len(piece)
            out += piece
        return out

    def _fragment(self, context: int, control: int, left: int) -> None:
        if control & 1:
            self.command = pdus.parse_command(self._exactly(left))
            if pdus.number(self.command, 0x800) == 0x0101:
                self._answer(context)
            return
        while left:
            if self.at == self.fill:
                self._more()
            end = min(self.fill, self.at + left)
            self.digest.update(self.view[self.at : end])
            left -= end - self.at
            self.size += end - self.at
            self.at = end
            self._perhaps_reset()
        if control & 2:
            self.sink.taken[pdus.text(self.command, 0x1000)] = (self.size, self.digest.hexdigest())
            self.digest, self.size = hashlib.sha256(), 0
            self.sink.answering.wait()
            try:
                self._answer(context)
            except OSError:
                self.sink.lost += 1
                raise

    def _perhaps_reset(self) -> None:
        at = self.sink.reset_at
        if at is not None and self.size >= at:
            self.sink.reset_at = None
            self.sink.cut = self.size
            self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Broken("reset on command")

    def _answer(self, context: int) -> None:
        self.conn.sendall(pdus.pdata(pdus.pdv(context, 3, pdus.response(self.command, 0))))
