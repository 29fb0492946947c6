"""The one place for the benchmark's sink: takes objects as fast as it can, keeps their bytes, hashes them after the clock has stopped.

`python -m bench.dicom.sink --port P --maximum 16384 --keep BYTES --results DIR` forks a process a connection. On SIGTERM every process
writes `DIR/PID.json` ([[sop, sha256], …]) and ends.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import signal
import socket
import struct
from pathlib import Path
from types import FrameType

from bench.dicom import wire

RECEIVE = 1 << 20  # bytes asked for at once


class Ended(BaseException):
    """SIGTERM: hash what was kept and go."""


def end(number: int, frame: FrameType | None) -> None:
    raise Ended


class Kept:
    """The arenas of one connection. Bytes are received once and lie where they were received until they are hashed."""

    def __init__(self, size: int) -> None:
        self.size = max(size, 4 * RECEIVE)
        self.objects: list[tuple[bytes, memoryview, int, int]] = []  # sop, arena, first byte, end
        self.arena = self._new(self.size)
        self.filled = self.at = 0

    @staticmethod
    def _new(size: int) -> memoryview:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE  # no page fault while the clock runs
        return memoryview(mmap.mmap(-1, size, flags=flags))

    def need(self, sock: socket.socket, count: int, begin: int) -> int:
        """Receives until `count` bytes from `at` are there; a full arena is left behind, the message from `begin` moves on."""
        while self.filled - self.at < count:
            if self.size - self.filled < RECEIVE:
                tail = self.filled - begin
                fresh = self._new(max(self.size, 2 * tail + 4 * RECEIVE))
                fresh[:tail] = self.arena[begin : self.filled]
                self.at -= begin
                self.arena, self.size, self.filled, begin = fresh, len(fresh), tail, 0
            got = sock.recv_into(self.arena[self.filled : self.filled + RECEIVE])
            if not got:
                raise ConnectionError("closed")
            self.filled += got
        return begin

    def digests(self) -> list[tuple[str, str]]:
        out = []
        for sop, arena, at, stop in self.objects:
            digest = hashlib.sha256()
            while at < stop:
                size = struct.unpack_from(">I", arena, at + 2)[0] + 6
                inner, limit = at + 6, at + size
                while inner < limit:
                    length, _, control = struct.unpack_from(">IBB", arena, inner)
                    if not control & 1:
                        digest.update(arena[inner + 6 : inner + 4 + length])
                    inner += 4 + length
                at += size
            out.append((sop.rstrip(b"\0").decode("latin-1"), digest.hexdigest()))
        return out


def serve(sock: socket.socket, maximum: int, kept: Kept) -> None:
    """One association."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    kind, body = wire.read_pdu(sock)
    if kind != 1:
        return
    sock.sendall(wire.associate_ac(body, maximum))
    request: dict[int, bytes] = {}
    begin = kept.at
    unpack = struct.unpack_from
    while True:
        begin = kept.need(sock, 10, begin)
        kind, length = unpack(">BxI", kept.arena, kept.at)
        if kind != 4:
            if kind == 5:
                sock.sendall(wire.pdu(6, bytes(4)))
            return
        begin = kept.need(sock, 6 + length, begin)
        arena, at = kept.arena, kept.at + 6
        stop = at + length
        while at < stop:
            size, context, control = unpack(">IBB", arena, at)
            if control & 1:  # a command fragment; ours and Gurney's come whole
                request = wire.values(bytes(arena[at + 6 : at + 4 + size]))
                if request[0x0800] == b"\x01\x01":
                    sock.sendall(wire.answer(request, context))
            elif control & 2:
                kept.objects.append((request[0x1000], arena, begin, stop))
                sock.sendall(wire.answer(request, context))
            at += 4 + size
        kept.at = stop
        if (control & 2 and not control & 1) or request.get(0x0800) == b"\x01\x01":
            begin = stop


def child(sock: socket.socket, args: argparse.Namespace) -> None:
    kept = Kept(args.keep)
    try:
        serve(sock, args.maximum, kept)
        sock.close()
        while True:
            signal.pause()
    except ConnectionError:
        try:
            while True:
                signal.pause()
        except Ended:
            pass
    except Ended:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if kept.objects:
        part = args.results / f"{os.getpid()}.part"
        part.write_text(json.dumps(kept.digests()))
        part.rename(args.results / f"{os.getpid()}.json")


def main() -> None:
    """The sink's process."""
    parser = argparse.ArgumentParser(prog="python -m bench.dicom.sink")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--maximum", type=int, default=16384)
    parser.add_argument("--keep", type=int, default=64 << 20)
    parser.add_argument("--results", type=Path, required=True)
    args = parser.parse_args()
    args.results.mkdir(parents=True, exist_ok=True)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", args.port))
    listener.listen(128)
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
