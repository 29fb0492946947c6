"""The one place for peers that are slow on purpose: a byte now and then, a window that stays shut, a connection that says nothing."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence

from . import hostile, pdus
from .objects import Thing
from .pdus import Broken
from .sender import Association, Refused


def sources(network: int, count: int, each: int) -> list[str]:
    """`count` addresses of 127.NETWORK.0.0/16, each used `each` times: what is limited per address stays within it."""
    return [f"127.{network}.0.{1 + n // each}" for n in range(count)]


class Dripper:
    """Connections that say one byte every `pause` seconds of what they have to say."""

    def __init__(self, pause: float = 5.0) -> None:
        self.pause = pause
        self.lines: list[tuple[socket.socket, bytes]] = []
        self.said = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)

    def add(self, sock: socket.socket, text: bytes) -> None:
        sock.setblocking(False)
        self.lines.append((sock, text))

    def start(self) -> None:
        self._thread.start()

    def _drip(self) -> None:
        while not self._over.wait(self.pause):
            for sock, text in self.lines:
                with contextlib.suppress(OSError):
                    sock.send(text[self.said : self.said + 1])
            self.said += 1

    def gone(self) -> int:
        """How many the peer has ended, by an A-ABORT or by closing."""
        count = 0
        for sock, _ in self.lines:
            try:
                count += sock.recv(10, socket.MSG_PEEK)[:1] in (b"", b"\7")
            except BlockingIOError:
                continue
            except OSError:
                count += 1
        return count

    def close(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        for sock, _ in self.lines:
            sock.close()


class Deaf:
    """A sender that asks C-ECHO after C-ECHO and reads no answer until `listen`: its receive window stays shut."""

    def __init__(self, port: int, calling: str = "DEAF", source: str | None = None, host: str = "127.0.0.1") -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(20)
        self.sock.connect((host, port))
        self.sock.sendall(pdus.associate_rq("PACS", calling, hostile.OFFERS[:1]))
        kind, _ = pdus.read_pdu(self.sock)
        if kind != pdus.AC:
            raise Broken(f"PDU {kind} for a deaf sender")
        self.sent = self.size = 0
        self.left = b""

    def fill(self) -> None:
        """Ask until nothing is taken for half a second."""
        pause = threading.Event()
        still = 0
        one = pdus.pdata(pdus.pdv(1, 3, pdus.echo_rq(7)))
        self.size = len(one)
        self.sock.setblocking(False)
        left = one * 3000  # their answers are some thirty times what its own kernel holds
        sent = 0
        while still < 25 and sent < len(left):
            try:
                sent += self.sock.send(left[sent : sent + 65_536])
                still = 0
            except BlockingIOError:
                still += 1
                pause.wait(0.02)
        self.sent, self.left = sent, left[sent : sent + (-sent) % self.size]

    def listen(self) -> tuple[int, int]:
        """Read at last: (answers due, answers that came), and the association can still be released."""
        self.sock.settimeout(20)
        due = (self.sent + len(self.left)) // self.size
        came = 0
        try:
            self.sock.sendall(self.left)
            while came < due:
                kind, _ = pdus.read_pdu(self.sock)
                if kind != pdus.DATA:
                    raise Broken(f"PDU {kind} for an answer")
                came += 1
            self.sock.sendall(pdus.pdu(pdus.RELEASE_RQ, bytes(4)))
            came -= pdus.read_pdu(self.sock)[0] != pdus.RELEASE_RP
        except (OSError, Broken):
            pass
        return due, came

    def close(self) -> None:
        self.sock.close()


class Shut:
    """A member that answers checks, takes the command set of an object and then reads nothing until `opened`: its window stays shut."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.begun = threading.Event()
        self.held: dict[str, str] = {}
        self.attempts = self.partial = 0
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.port: int = self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stored(self) -> dict[str, str]:
        return dict(self.held)

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(conn,), daemon=True).start()

    def _run(self, conn: socket.socket) -> None:
        data, command = bytearray(), b""
        try:
            with conn:
                rq = pdus.parse_rq(pdus.read_pdu(conn)[1])
                conn.sendall(pdus.associate_ac(rq.head, [(o.id, 0, o.transfers[0]) for o in rq.offers]))
                while True:
                    kind, body = pdus.read_pdu(conn)
                    if kind == pdus.RELEASE_RQ:
                        conn.sendall(pdus.pdu(pdus.RELEASE_RP, bytes(4)))
                        return
                    for context, control, piece in pdus.pdvs(body):
                        data += piece
                        if control & 2:
                            command = self._take(conn, context, control, bytes(data), command)
                            data.clear()
        except (OSError, Broken, struct.error, KeyError):
            self.partial += bool(command)

    def _take(self, conn: socket.socket, context: int, control: int, data: bytes, command: bytes) -> bytes:
        """The command set now in hand, b"" behind an answer."""
        values = pdus.parse_command(data if control & 1 else command)
        if control & 1 and pdus.number(values, 0x800) != 0x0101:
            self.attempts += 1
            self.begun.set()
            self.opened.wait()
            return data
        if not control & 1:
            self.held[pdus.text(values, 0x1000)] = hashlib.sha256(data).hexdigest()
        conn.sendall(pdus.pdata(pdus.pdv(context, 3, pdus.response(values, 0))))
        return b""

    def close(self) -> None:
        self.opened.set()
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class Honest:
    """Senders that store one object after another on associations of their own; every answer's time is kept, every fault too."""

    def __init__(self, port: int, shares: Sequence[Sequence[Thing]]) -> None:
        self.port = port
        self.seconds: list[float] = []
        self.opening: list[float] = []
        self.acked: set[str] = set()
        self.faults: list[str] = []
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._work, args=(n, share), daemon=True) for n, share in enumerate(shares)]
        for thread in self.threads:
            thread.start()

    def _work(self, index: int, share: Iterable[Thing]) -> None:
        try:
            begun = time.monotonic()
            share = list(share)
            a = Association(self.port, pdus.offers_for([share[0].pair]), calling=f"HONEST{index % 4}", timeout=30)
            with self._lock:
                self.opening.append(time.monotonic() - begun)
            for thing in share:
                if self.stop.wait(0.2):
                    break
                begun = time.monotonic()
                status = a.store(thing)
                with self._lock:
                    self.seconds.append(time.monotonic() - begun)
                    if status == 0:
                        self.acked.add(thing.sop_instance)
                    else:
                        self.faults.append(f"{status:04X} {a.last_comment}")
            a.release()
        except (OSError, Broken, Refused) as e:
            with self._lock:
                self.faults.append(f"{type(e).__name__}: {e}")

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def high(values: Sequence[float], share: float) -> float:
    """The quantile, in seconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0
