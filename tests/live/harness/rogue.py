"""The one place for the member that obeys until told what to say at which moment: raw bytes in place of an AC, of an answer, or between."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

from . import pdus
from .pdus import Broken


@dataclass
class Heard:
    """What the member knows when it speaks: the request, and of the object in hand its context and its command set."""

    rq: pdus.Request
    context: int = 0
    command: bytes = b""

    @property
    def number(self) -> int:
        """The Message ID it was given."""
        return pdus.number(pdus.parse_command(self.command), 0x110)


@dataclass(frozen=True)
class Plan:
    """`moment`: "accepting" (in place of an AC) | "command" (behind the command set) | "answer" (in place of one) | "after" (behind one).

    `say` are the bytes. Behind them it listens on, as an honest member would, unless `leave`: then it closes.
    """

    moment: str
    say: bytes | Callable[[Heard], bytes]
    leave: bool = False
    stores: bool = False


class Rogue:
    """A listener and one thread a connection. `plan` is what associations are met with that carry no question of an AE title in `spared`.

    `met` counts how often the plan was carried out; objects it did not interfere with are stored.
    """

    def __init__(self, transfers: tuple[str, ...] = (pdus.IMPLICIT_LE, pdus.EXPLICIT_LE, pdus.EXPLICIT_BE, pdus.DEFLATED)) -> None:
        self.plan: Plan | None = None
        self.transfers = transfers
        self.spared: set[str] = set()
        self.met = 0
        self.held: dict[str, str] = {}
        self.lock = threading.Lock()
        self.conns: set[socket.socket] = set()
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stored(self) -> dict[str, str]:
        """SOP Instance UID -> sha256."""
        with self.lock:
            return dict(self.held)

    def close(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.cut()

    def cut(self) -> None:
        """End every association: the next object needs a new one."""
        for conn in list(self.conns):
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.conns.add(conn)
            threading.Thread(target=self._run, args=(conn,), daemon=True).start()

    def _run(self, conn: socket.socket) -> None:
        try:
            with conn:
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve(conn)
        except (OSError, Broken, struct.error, KeyError, IndexError):
            pass
        finally:
            self.conns.discard(conn)

    def _play(self, conn: socket.socket, moment: str, heard: Heard) -> bool:
        """Whether the plan says something at this moment; it is said then."""
        plan = self.plan
        if plan is None or plan.moment != moment or heard.rq.calling in self.spared:
            return False
        with self.lock:
            self.met += 1
        conn.sendall(plan.say(heard) if callable(plan.say) else plan.say)
        if plan.leave:
            raise Broken("left on command")
        return True

    def _serve(self, conn: socket.socket) -> None:
        kind, body = pdus.read_pdu(conn)
        if kind != pdus.RQ:
            return
        heard = Heard(pdus.parse_rq(body))
        if not self._play(conn, "accepting", heard):
            conn.sendall(pdus.associate_ac(heard.rq.head, [self._answer(o) for o in heard.rq.offers]))
        data = bytearray()
        while True:
            kind, body = pdus.read_pdu(conn)
            if kind == pdus.RELEASE_RQ:
                conn.sendall(pdus.pdu(pdus.RELEASE_RP, bytes(4)))
                return
            if kind != pdus.DATA:
                return
            for heard.context, control, piece in pdus.pdvs(body):
                data += piece
                if control & 2:
                    self._message(conn, heard, control, bytes(data))
                    data.clear()

    def _answer(self, offer: pdus.Offer) -> tuple[int, int, str]:
        fit = [t for t in offer.transfers if t in self.transfers]
        return (offer.id, 0, fit[0]) if fit else (offer.id, 4, offer.transfers[0])

    def _message(self, conn: socket.socket, heard: Heard, control: int, data: bytes) -> None:
        if control & 1:
            heard.command = data
            if pdus.number(pdus.parse_command(data), 0x100) == 0x0030:
                self._say(conn, heard)
            else:
                self._play(conn, "command", heard)
            return
        plan = self.plan
        if plan is None or plan.moment != "answer" or plan.stores:
            with self.lock:
                self.held[pdus.text(pdus.parse_command(heard.command), 0x1000)] = hashlib.sha256(data).hexdigest()
        if self._play(conn, "answer", heard):
            return
        self._say(conn, heard)
        self._play(conn, "after", heard)

    def _say(self, conn: socket.socket, heard: Heard) -> None:
        conn.sendall(pdus.pdata(pdus.pdv(heard.context, 3, pdus.response(pdus.parse_command(heard.command), 0))))
