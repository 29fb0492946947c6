"""The one place for the benchmark's load generator: a process an association, prebuilt wire images, one answer an object.

`python -m bench.dicom.generator --port P --associations 4 --objects 400 --size 524288` prints `ready` when every association is open
and has sent its warm-up, begins at a line on standard input, and prints one JSON line: {"begin", "end", "objects", "bytes", "p50_ms",
"p99_ms", "pdu", "errors"}. Times are the monotonic clock's. What each object must be at the sink follows from its number (`wire.names`).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import ssl
import struct
import sys
import time
from typing import Any

from bench.dicom import wire

PATIENCE = struct.pack("ll", 120, 0)  # SO_RCVTIMEO and SO_SNDTIMEO: a path that is stuck ends the measurement


def open_association(args: argparse.Namespace) -> tuple[socket.socket, int]:
    """The socket and the PDU length to send with. It blocks, so that an object is one system call."""
    sock = socket.create_connection(("127.0.0.1", args.port))
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if args.tls:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.load_verify_locations(args.tls)
        trust.check_hostname = False
        sock = trust.wrap_socket(sock)
    sock.sendall(wire.associate_rq(b"PACS", b"BENCH", 16384))
    kind, body = wire.read_pdu(sock)
    if kind != 2:
        raise ConnectionError(f"PDU {kind} {body[:4].hex()} for an A-ASSOCIATE-RQ")
    return sock, min(wire.peer_maximum(body), args.pdu)


def answered(sock: socket.socket) -> bytes:
    """The command set of one answer."""
    got = sock.recv(4096)
    while len(got) < 6 or len(got) < 6 + int.from_bytes(got[2:6], "big"):
        more = sock.recv(4096)
        if not more:
            raise ConnectionError("closed by the peer")
        got += more
    if got[0] != 4:
        raise ConnectionError(f"PDU {got[0]} {got[6:10].hex()} instead of an answer")
    return got[12:]


class Association:
    """One association of the load; `one` sends an object and takes its answer."""

    def __init__(self, index: int, args: argparse.Namespace, image: wire.Image) -> None:
        self.index, self.image = index, image
        self.sock, self.maximum = open_association(args)
        if self.maximum != args.advertised:
            self.image = wire.Image(image.sets, self.maximum)
        self._like = (b"", b"")
        self._at = (0, 0)  # message id and the byte after it, in an answer

    def one(self, number: int) -> None:
        """Raises ConnectionError when the answer is not 0000 for this message."""
        sop, study = wire.names(self.index, number)
        message = number % 60000 + 1
        self.image.patch(message, sop, study, number)
        self.sock.sendall(self.image.wire)
        got = answered(self.sock)
        at, _ = self._at
        if at and got[at : at + 2] == struct.pack("<H", message) and (got[:at], got[at + 2 : self._at[1]]) == self._like:
            return
        where, found = wire.fields(got), wire.values(got)
        if found.get(0x0120) != struct.pack("<H", message) or found.get(0x0900) != b"\0\0":
            raise ConnectionError(f"status {found.get(0x0900, b'').hex()} for message {message}")
        at, end = where[0x0120][0], where[0x0900][1]
        if at < end:
            self._at, self._like = (at, end), (got[:at], got[at + 2 : end])

    def close(self) -> None:
        """A-RELEASE; the clock has stopped, who does not answer it is not measured here."""
        try:
            self.sock.sendall(wire.pdu(5, bytes(4)))
            self.sock.settimeout(5)
            wire.read_pdu(self.sock)
        except OSError:
            pass
        self.sock.close()


def work(index: int, args: argparse.Namespace, image: wire.Image, ready: int, go: int) -> dict[str, Any]:
    """One association in a process of its own."""
    association = Association(index, args, image)
    one = association.one
    for number in range(args.warm):
        one(number)
    gc.disable()
    os.write(ready, b"r")
    os.read(go, 1)
    spent = []
    clock = time.monotonic
    begin = last = clock()
    for number in range(args.warm, args.warm + args.objects):
        if args.every:
            last = max(last, begin + (number - args.warm + index / args.associations) * args.every)
            time.sleep(max(0.0, last - clock()))
        one(number)
        now = clock()
        spent.append(now - last)
        last = now
    association.close()
    return {"begin": begin, "end": last, "spent": spent, "pdu": association.maximum}


def fork(index: int, args: argparse.Namespace, image: wire.Image, ready: int, go: int) -> int:
    """Starts one association's process; returns the descriptor its result comes from."""
    out, into = os.pipe()
    if os.fork() == 0:
        os.close(out)
        try:
            result = work(index, args, image, ready, go)
        except (OSError, KeyError) as e:
            result = {"error": f"{type(e).__name__}: {e}"}
            os.write(ready, b"e")
        with os.fdopen(into, "w") as f:
            json.dump(result, f)
        os._exit(0)
    os.close(into)
    return out


def summary(results: list[dict[str, Any]], args: argparse.Namespace) -> dict[str, Any]:
    """One result for all associations."""
    good = [r for r in results if "error" not in r]
    spent = sorted(s for r in good for s in r["spent"])
    return {
        "begin": min((r["begin"] for r in good), default=0.0),
        "end": max((r["end"] for r in good), default=0.0),
        "objects": len(spent),
        "bytes": len(spent) * args.size,
        "p50_ms": 1000 * spent[len(spent) // 2] if spent else 0,
        "p99_ms": 1000 * spent[len(spent) * 99 // 100] if spent else 0,
        "slowest_ms": [round(1000 * s, 1) for s in spent[-12:]],
        "pdu": good[0]["pdu"] if good else 0,
        "errors": [r["error"] for r in results if "error" in r],
    }


def main() -> None:
    """The generator's process."""
    parser = argparse.ArgumentParser(prog="python -m bench.dicom.generator")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--associations", type=int, default=1)
    parser.add_argument("--objects", type=int, default=100, help="an association")
    parser.add_argument("--warm", type=int, default=8, help="objects an association before the clock")
    parser.add_argument("--every", type=float, default=0.0, help="seconds from one object of an association to its next; 0: none")
    parser.add_argument("--size", type=int, default=524288)
    parser.add_argument("--pdu", type=int, default=131072, help="largest PDU to send, whatever the peer allows")
    parser.add_argument(
        "--advertised", type=int, default=16384, help="what the receiver is expected to allow: its image is built once for all"
    )
    parser.add_argument("--defined", action="store_true", help="no undefined lengths")
    parser.add_argument("--tls", default="", help="a PEM file of the certificate to trust")
    args = parser.parse_args()
    image = wire.Image(wire.DataSets(args.size, args.defined), args.advertised)
    ready_out, ready_in = os.pipe()
    go_out, go_in = os.pipe()
    pipes = [fork(i, args, image, ready_in, go_out) for i in range(args.associations)]
    for _ in pipes:
        os.read(ready_out, 1)
    print("ready", flush=True)
    sys.stdin.readline()
    os.write(go_in, b"g" * len(pipes))
    results = []
    for pipe in pipes:
        with os.fdopen(pipe) as f:
            results.append(json.load(f))
    print(json.dumps(summary(results, args)), flush=True)


if __name__ == "__main__":
    main()
