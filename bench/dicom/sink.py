"""The one place for the benchmark's sink: takes objects as fast as it can, keeps their bytes, hashes them after the clock has stopped.

`python -m bench.dicom.sink --port P --maximum 16384 --keep BYTES --results DIR` forks a process a connection. On SIGTERM every process
writes `DIR/PID.json` ({"last": when its last object was whole by the monotonic clock, "objects": [[sop, sha256], …]}) and ends.
With `--tell FILE` a byte is appended for every object: for paths that answer before they send.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import mmap
import os
import signal
import socket
import ssl
import struct
import time
from pathlib import Path
from types import FrameType

from bench.dicom import wire

RECEIVE = 1 << 20  # the least room a receive gets
POPULATE_WRITE = 23  # MADV_POPULATE_WRITE (Linux 5.14): no page fault while the clock runs
HEADER = struct.Struct(">BxIIBB").unpack_from  # PDU type and length, then the first PDV's length, context, control


class Ended(BaseException):
    """SIGTERM: hash what was kept and go."""


def end(number: int, frame: FrameType | None) -> None:
    raise Ended


def arena(size: int) -> memoryview:
    """Memory that is there already, in large pages where the machine has them."""
    made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for advice in (mmap.MADV_HUGEPAGE, POPULATE_WRITE):
        try:
            made.madvise(advice)
        except OSError:
            pass  # an older kernel: slower, not wrong
    return memoryview(made)


class Kept:
    """One connection: bytes are received once and lie where they were received until they are hashed."""

    def __init__(self, sock: socket.socket, size: int, tell: int | None) -> None:
        self.sock, self.tell = sock, tell
        self.objects: list[tuple[bytes, memoryview, int, int]] = []  # sop, arena, first byte, end
        self.size = size
        self.arena = arena(4 * RECEIVE)  # checks and questions never need more
        self.begin = self.at = self.filled = 0  # of the message under way; the next PDU; the bytes received. `at` may lie beyond `filled`
        self.last = 0.0
        self.answers = wire.Answers()
        self.sop = b""
        self.answer = b""

    def move(self, size: int) -> None:
        """Leaves the arena behind; the message under way moves on into a fresh one."""
        tail = self.filled - self.begin
        fresh = arena(2 * tail + size)
        fresh[:tail] = self.arena[self.begin : self.filled]
        self.at -= self.begin
        self.arena, self.filled, self.begin = fresh, tail, 0

    def receive(self) -> None:
        """Some more bytes."""
        if len(self.arena) - self.filled < RECEIVE:
            self.move(16 * RECEIVE)
        got = self.sock.recv_into(self.arena[self.filled :])
        if not got:
            raise ConnectionError("closed")
        self.filled += got

    def whole(self, size: int) -> None:
        """Receives until the PDU at `at`, of `size` bytes with its header, is there."""
        while self.filled < self.at + size:
            self.receive()

    def object(self, stop: int) -> None:
        """The data set that began at `begin` is whole."""
        self.objects.append((self.sop, self.arena, self.begin, stop))
        self.last = time.monotonic()
        self.sock.sendall(self.answer)
        if self.tell is not None:
            os.write(self.tell, b"o")

    def command(self, first: int, size: int, context: int) -> bool:
        """A command whose value lies at `first`; True when a data set follows. Ours and the peers' come whole."""
        self.sop, answer = self.answers.to(bytes(self.arena[first : first + size]), context)
        self.answer = bytes(answer)
        if self.sop:
            return True
        self.sock.sendall(self.answer)
        return False

    def messages(self) -> None:
        """Every PDU until the release. One data PDV a PDU, the rule, costs one look at its header."""
        while True:
            while self.filled - self.at < 12:
                if self.filled - self.at >= 10 and self.arena[self.at] != 4:
                    self.sock.sendall(wire.pdu(6, bytes(4)))
                    return
                self.receive()
            kind, length, size, _, control = HEADER(self.arena, self.at)
            if kind != 4:
                return
            if control or size + 4 != length:
                self.whole(6 + length)
                self.values(self.at + 6, self.at + 6 + length)
                if self.size and self.sop:  # the first object, before the clock: an association is accepted at once, whatever memory costs
                    self.move(self.size)
                    self.size = 0
            else:
                self.at += 6 + length

    def values(self, at: int, stop: int) -> None:
        """Every PDV of a PDU that is there; leaves `at` behind it."""
        self.at = stop
        while at < stop:
            size, context, control = struct.unpack_from(">IBB", self.arena, at)
            if control & 1:
                if not self.command(at + 6, size - 2, context):
                    self.begin = stop
            elif control & 2:
                self.object(stop)
                self.begin = stop
            at += 4 + size

    def digests(self) -> list[tuple[str, str]]:
        out = []
        for sop, memory, at, stop in self.objects:
            digest = hashlib.sha256()
            while at < stop:
                size = struct.unpack_from(">I", memory, at + 2)[0] + 6
                inner, limit = at + 6, at + size
                while inner < limit:
                    length, _, control = struct.unpack_from(">IBB", memory, inner)
                    if not control & 1:
                        digest.update(memory[inner + 6 : inner + 4 + length])
                    inner += 4 + length
                at += size
            out.append((sop.rstrip(b"\0").decode("latin-1"), digest.hexdigest()))
        return out


def serve(sock: socket.socket, args: argparse.Namespace, box: list[Kept]) -> None:
    """One association to its end; what it keeps is in `box` as soon as there can be any."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if args.tls:
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(args.tls)
        sock = own.wrap_socket(sock, server_side=True)
    kind, body = wire.read_pdu(sock)
    if kind != 1:
        return
    tell = os.open(args.tell, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if args.tell else None
    kept = Kept(sock, args.keep, tell)
    box.append(kept)
    sock.sendall(wire.associate_ac(body, args.maximum))
    gc.disable()
    try:
        kept.messages()
    finally:
        sock.close()


def child(sock: socket.socket, args: argparse.Namespace) -> None:
    """The process of one connection: hashes when told that the clock has stopped."""
    box: list[Kept] = []
    try:
        try:
            serve(sock, args, box)
        except OSError:
            pass
        while box and box[0].objects:
            signal.pause()
    except Ended:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if box and box[0].objects:
        part = args.results / f"{os.getpid()}.part"
        part.write_text(json.dumps({"last": box[0].last, "objects": box[0].digests()}))
        part.rename(args.results / f"{os.getpid()}.json")


def main() -> None:
    """The sink's process."""
    parser = argparse.ArgumentParser(prog="python -m bench.dicom.sink")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--maximum", type=int, default=16384, help="the maximum PDU length to advertise")
    parser.add_argument("--keep", type=int, default=64 << 20, help="bytes to have ready for a connection")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--tell", default="", help="a file that grows by a byte an object")
    parser.add_argument("--tls", default="", help="a PEM file of key and certificate")
    args = parser.parse_args()
    args.results.mkdir(parents=True, exist_ok=True)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", args.port))
    listener.listen(512)
    signal.signal(signal.SIGTERM, end)
    children = []
    try:
        while True:
            conn, _ = listener.accept()
            pid = os.fork()
            if pid == 0:
                listener.close()
                child(conn, args)
                os._exit(0)
            children.append(pid)
            conn.close()
    except Ended:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for pid in children:
        os.kill(pid, signal.SIGTERM)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
