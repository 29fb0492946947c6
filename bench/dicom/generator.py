"""The one place for the benchmark's load generator: a process an association, prebuilt wire images, one answer an object.

`python -m bench.dicom.generator --port P --associations 4 --objects 600 --size 524288` prints `ready` when every association is open
and has sent its warm-up, begins at a line on standard input, and prints one JSON line: {"seconds", "objects", "bytes", "p50_ms",
"p99_ms", "sent": {sop: sha256}, "errors"}. The digests are made after the clock has stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import sys
import time
from typing import Any

from bench.dicom import wire

WARM = 8  # objects an association before the clock
STUDY = 50  # objects of one study


def open_association(port: int, own: int) -> tuple[socket.socket, int]:
    """The socket and the PDU length to send with."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(wire.associate_rq(b"PACS", b"BENCH", 16384))
    kind, body = wire.read_pdu(sock)
    if kind != 2:
        raise ConnectionError(f"PDU {kind} {body[:4].hex()} for an A-ASSOCIATE-RQ")
    return sock, min(wire.peer_maximum(body), own)


def names(index: int, number: int) -> tuple[bytes, bytes]:
    """(SOP Instance UID, Study Instance UID) of the `number`-th object of association `index`."""
    base = (index + 1) * 10**9
    return wire.uid(base + number), wire.uid(10**15 + base + number // STUDY)


def one(sock: socket.socket, image: wire.Image, index: int, number: int) -> None:
    """Sends one object and takes its answer; raises ConnectionError when it is not 0000 for this message."""
    sop, study = names(index, number)
    message = number % 60000 + 1
    image.patch(message, sop, study)
    sock.sendall(image.wire)
    kind, body = wire.read_pdu(sock)
    if kind != 4:
        raise ConnectionError(f"PDU {kind} {body[:4].hex()} instead of an answer")
    got = wire.values(body[6:])
    if got.get(0x0120) != struct.pack("<H", message) or got.get(0x0900) != b"\0\0":
        raise ConnectionError(f"status {got.get(0x0900, b'').hex()} for message {message}")


def work(index: int, args: argparse.Namespace, ready: int, go: int) -> dict[str, Any]:
    """One association in a process of its own."""
    sock, maximum = open_association(args.port, args.pdu)
    image = wire.Image(args.size, maximum)
    for number in range(WARM):
        one(sock, image, index, number)
    os.write(ready, b"r")
    os.read(go, 1)
    spent = []
    clock = time.monotonic
    begin = last = clock()
    for number in range(WARM, WARM + args.objects):
        one(sock, image, index, number)
        now = clock()
        spent.append(now - last)
        last = now
    sock.sendall(wire.pdu(5, bytes(4)))
    sock.settimeout(5)
    try:
        wire.read_pdu(sock)
    except OSError:
        pass  # the clock has stopped; who does not answer a release is not measured here
    sock.close()
    sent = {}
    for number in range(WARM + args.objects):
        sop, study = names(index, number)
        sent[sop.rstrip(b"\0").decode()] = image.digest(sop, study)
    return {"begin": begin, "end": last, "spent": spent, "sent": sent, "pdu": maximum}


def fork(index: int, args: argparse.Namespace, ready: int, go: int) -> int:
    """Starts one association's process; returns the descriptor its result comes from."""
    out, into = os.pipe()
    if os.fork() == 0:
        os.close(out)
        try:
            result = work(index, args, ready, go)
        except OSError as e:
            result = {"error": f"{type(e).__name__}: {e}"}
            os.write(ready, b"e")
        with os.fdopen(into, "w") as f:
            json.dump(result, f)
        os._exit(0)
    os.close(into)
    return out


def summary(results: list[dict[str, Any]], args: argparse.Namespace) -> dict[str, Any]:
    """One result for all associations."""
    errors = [r["error"] for r in results if "error" in r]
    good = [r for r in results if "error" not in r]
    spent = sorted(s for r in good for s in r["spent"])
    sent = {k: v for r in good for k, v in r["sent"].items()}
    seconds = max(r["end"] for r in good) - min(r["begin"] for r in good) if good else 0.0
    return {
        "seconds": seconds,
        "objects": len(spent),
        "bytes": len(spent) * args.size,
        "p50_ms": 1000 * spent[len(spent) // 2] if spent else 0,
        "p99_ms": 1000 * spent[len(spent) * 99 // 100] if spent else 0,
        "pdu": good[0]["pdu"] if good else 0,
        "sent": sent,
        "errors": errors,
    }


def main() -> None:
    """The generator's process."""
    parser = argparse.ArgumentParser(prog="python -m bench.dicom.generator")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--associations", type=int, default=1)
    parser.add_argument("--objects", type=int, default=100, help="an association")
    parser.add_argument("--size", type=int, default=524288)
    parser.add_argument("--pdu", type=int, default=131072, help="largest PDU to send, whatever the peer allows")
    args = parser.parse_args()
    ready_out, ready_in = os.pipe()
    go_out, go_in = os.pipe()
    pipes = [fork(i, args, ready_in, go_out) for i in range(args.associations)]
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
