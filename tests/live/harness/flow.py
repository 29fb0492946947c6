"""The one place for load that only the relay feels: senders and a member as light processes on raw sockets, their counts in a shared page.

`python -m tests.live.harness.flow member PORT` forks a process a connection; `… flow sender PORT PAGE INDEX` sends what its cell of the
page says, an object after another, until the page says otherwise.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

from . import objects, pdus
from .processes import Child
from .sender import Association
from .wait import listening, until

KINDS = {"pause": 0, "equal": 512 << 10, "small": 8 << 10, "huge": 256 << 20}  # bytes of pixel data
WORDS = list(KINDS)
CELL = struct.Struct("<QQQQ")  # kind wanted, kind being sent, bytes acknowledged, bytes that have left
PDU = 131072
ROOM = bytearray(1 << 20)
HEADER = struct.Struct(">BxIIBB")  # PDU type and length, PDV length, context, control


class Flow:
    """`senders` associations of one study each. `send(kinds)` says what each sends, `moved(which)` counts bytes answered 0000."""

    def __init__(self, folder: Path, port: int, senders: int) -> None:
        self.path = folder / f"flow-{port}"
        self.path.write_bytes(bytes(CELL.size * senders))
        self.page = Page(self.path)
        argv = [sys.executable, "-m", "tests.live.harness.flow", "sender", str(port), str(self.path)]
        self.children = [Child([*argv, str(i)], folder, f"flow-{port}-{i}") for i in range(senders)]

    def send(self, kinds: Sequence[str]) -> None:
        """Each sender goes over to its kind at its next object; returns when all have."""
        for index, kind in enumerate(kinds):
            self.page.put(index, 0, WORDS.index(kind))
        wanted = [WORDS.index(kind) for kind in kinds]
        until(lambda: self._well() and [self.page.get(i, 1) for i in range(len(kinds))] == wanted, 60, f"{kinds} are sent")

    def _well(self) -> bool:
        assert all(child.alive() for child in self.children), [child.log.read_text() for child in self.children]
        return True

    def left(self, which: Sequence[int]) -> int:
        """Bytes these have written, acknowledged or not."""
        return sum(self.page.get(i, 3) for i in which)

    def moved(self, which: Sequence[int]) -> int:
        self._well()
        return sum(self.page.get(i, 2) for i in which)

    def close(self) -> None:
        for child in self.children:
            child.kill()


class Page:
    """The shared cells."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def get(self, index: int, field: int) -> int:
        return int(struct.unpack_from("<Q", self.map, index * CELL.size + 8 * field)[0])

    def put(self, index: int, field: int, value: int) -> None:
        struct.pack_into("<Q", self.map, index * CELL.size + 8 * field, value)


class Sink:
    """The member, as a process."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.child = Child([sys.executable, "-m", "tests.live.harness.flow", "member", str(port)], folder, f"flow-member-{port}")
        until(lambda: listening(port), 10, "the member listens")

    def close(self) -> None:
        self.child.kill()


# ---- the processes


def image(size: int, study: str, context: int, room: int) -> list[bytes]:
    """The wire image of one object, in writes of at most 2 MiB; the same bytes again and again where it is larger than that."""
    thing = objects.thing(study, study + ".9", size=min(size, 1 << 20))
    command = pdus.pdata(pdus.pdv(context, 3, pdus.store_rq(thing.sop_class, thing.sop_instance, 1)))
    if size <= 1 << 20:
        return [b"".join([command, *pdus.message_pdus(context, b"", thing.data, room + 6)[1:]])]
    head = thing.data[: thing.data.rindex(b"\xe0\x7f\x10\x00OW") + 8]
    block = pdus.pdata(pdus.pdv(context, 0, random.Random(study).randbytes(room))) * 8
    writes = size // (8 * room)
    first = pdus.pdata(pdus.pdv(context, 0, head + struct.pack("<I", writes * 8 * room)))
    return [command + first, *[block] * writes, pdus.pdata(pdus.pdv(context, 2, b""))]


def skip(conn: socket.socket, count: int) -> None:
    """The next `count` bytes are thrown away uncopied."""
    while count:
        got = conn.recv_into(ROOM, min(count, len(ROOM)), socket.MSG_TRUNC)
        if not got:
            raise pdus.Broken("closed")
        count -= got


def files(writes: list[bytes]) -> list[tuple[int, int]]:
    """(descriptor, size) of each write, in memory: what `sendfile` takes from there is not copied."""
    known = {}
    for data in writes:
        if data not in known:
            known[data] = os.memfd_create("image")
            os.write(known[data], data)
    return [(known[data], len(data)) for data in writes]


def sender(port: int, page: Page, index: int) -> None:
    """Objects of the wanted kind without a pause between answer and next object."""
    study = f"2.25.77{os.getpid()}{index}"
    a = Association(port, pdus.offers_for([(objects.CT, pdus.EXPLICIT_LE)]), max_length=PDU)
    context = a.accepted[objects.CT, pdus.EXPLICIT_LE]
    a.sock.settimeout(None)  # a blocking descriptor, for sendfile
    images = {kind: files(image(size, study, context, a.pdu_size - 6)) for kind, size in KINDS.items() if size}
    moved = left = 0
    while True:
        kind = WORDS[page.get(index, 0)]
        page.put(index, 1, WORDS.index(kind))
        if kind == "pause":
            threading.Event().wait(0.01)
            continue
        for fd, size in images[kind]:
            at = 0
            while at < size:
                at += os.sendfile(a.sock.fileno(), fd, at, size - at)
            left += size
            page.put(index, 3, left)
        if (status := pdus.number(a.answer(), 0x900)) != 0:
            raise SystemExit(f"status {status:04x}")
        moved += KINDS[kind]
        page.put(index, 2, moved)


def member(port: int) -> None:
    """Accepts everything and answers everything, a process a connection."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    while True:
        conn, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            try:
                take(conn)
            except (OSError, pdus.Broken):
                pass  # the relay has closed it
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(0)
        conn.close()


def take(conn: socket.socket) -> None:
    """One association: the payload of data PDUs is thrown away."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    kind, body = pdus.read_pdu(conn)
    if kind != pdus.RQ:
        return
    rq = pdus.parse_rq(body)
    conn.sendall(pdus.associate_ac(rq.head, [(o.id, 0, o.transfers[0]) for o in rq.offers], PDU))
    command: dict[int, bytes] = {}
    while True:
        head = pdus.exactly(conn, 10)
        if head[0] != pdus.DATA:
            conn.sendall(pdus.pdu(pdus.RELEASE_RP, bytes(4)))
            return
        _, length, size, context, control = HEADER.unpack(head + pdus.exactly(conn, 2))
        assert size + 4 == length, "one PDV a PDU is what these senders send"
        if control & 1:
            command = pdus.parse_command(pdus.exactly(conn, length - 6))
        else:
            skip(conn, length - 6)
        if control == 2 or (control == 3 and pdus.number(command, 0x800) == 0x0101):
            conn.sendall(pdus.pdata(pdus.pdv(context, 3, pdus.response(command, 0))))


if __name__ == "__main__":
    if sys.argv[1] == "member":
        member(int(sys.argv[2]))
    else:
        sender(int(sys.argv[2]), Page(Path(sys.argv[3])), int(sys.argv[4]))
