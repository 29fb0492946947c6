"""The one place for the scripted member: a storage SCP on raw sockets that misbehaves on command, in this process or one of its own.

`python -m tests.live.harness.member JOURNAL BEHAVIOUR-JSON` is the process; every stored object is one JSON line in the journal, written
before its answer (the page cache survives SIGKILL).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
from pathlib import Path
from typing import Any

from . import pdus
from .behaviour import Behaviour
from .pdus import Broken


class Member:
    """A listener and one thread a connection. Counters are read by tests; `journal` holds one mapping an event."""

    def __init__(self, behaviour: Behaviour, journal: Path | None = None, secured: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.secured = secured
        self.lock = threading.Lock()
        self.events: list[dict[str, Any]] = []
        self.data: dict[str, bytes] = {}
        self.open = self.most = self.received = self.objects = self.partial = self.over_limit = 0
        self.answered = 0
        self.moody: set[str] = set()  # objects that have met their fault
        self.requests: list[pdus.Request] = []
        self.out = None if journal is None else os.open(journal, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((behaviour.host, behaviour.port))
        self.sock.listen(128)
        self.port: int = self.sock.getsockname()[1]
        self.conns: set[socket.socket] = set()
        self.stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.conns.add(conn)
            threading.Thread(target=Connection(self, conn).run, daemon=True).start()

    def write(self, event: dict[str, Any]) -> None:
        with self.lock:
            self.events.append(event)
            if self.out is not None:
                os.write(self.out, json.dumps(event).encode() + b"\n")

    def of(self, word: str) -> list[dict[str, Any]]:
        with self.lock:
            return [e for e in self.events if e["event"] == word]

    def stored(self) -> dict[str, str]:
        """SOP Instance UID -> sha256 of what was stored last."""
        return {e["sop"]: e["sha"] for e in self.of("stored")}

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self.stopping = True
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for c in list(self.conns):
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            c.close()


class Connection:
    """One association as acceptor."""

    def __init__(self, member: Member, sock: socket.socket) -> None:
        self.m, self.sock = member, sock
        self.counted = self.said = False
        self.mood = ""
        self.mine = 0
        self.command: dict[int, bytes] | None = None
        self.buffer = bytearray()
        self.transfers: dict[int, str] = {}
        self.request: pdus.Request | None = None

    def run(self) -> None:
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # fails on a connection that was reset already
            if self.m.secured is not None:
                self.m.conns.discard(self.sock)
                self.sock = self.m.secured.wrap_socket(self.sock, server_side=True)
                self.m.conns.add(self.sock)
            self._serve()
        except (OSError, Broken, struct.error, KeyError):
            pass
        finally:
            if self.command is not None:
                self.m.partial += 1
                self.m.write({"event": "partial", "bytes": len(self.buffer)})
            with self.m.lock:
                self.m.open -= self.counted
            self.m.conns.discard(self.sock)
            self.sock.close()

    def _serve(self) -> None:
        b = self.m.behaviour
        if b.connect == "close":
            return
        if b.connect == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if not self._open(b):
            return
        while True:
            kind, body = pdus.read_pdu(self.sock)
            if kind == pdus.RELEASE_RQ:
                self.sock.sendall(pdus.pdu(pdus.RELEASE_RP, bytes(4)))
                return
            if kind != pdus.DATA:
                self.m.write({"event": "aborted" if kind == pdus.ABORT else "pdu", "kind": kind})
                return
            self._limits(b, len(body))
            for context, control, piece in pdus.pdvs(body):
                self._fragment(b, context, control, piece)

    def _open(self, b: Behaviour) -> bool:
        kind, body = pdus.read_pdu(self.sock)
        if kind != pdus.RQ:
            raise Broken("no RQ")
        rq = self.request = pdus.parse_rq(body)
        while b.connect == "silent":
            pdus.exactly(self.sock, 1)
        with self.m.lock:
            self.m.requests.append(rq)
            full = b.max_associations is not None and self.m.open >= b.max_associations
            if not full:
                self.m.open += 1
                self.counted = True
                self.m.most = max(self.m.most, self.m.open)
        if full and b.over == "ignore":
            pdus.exactly(self.sock, 1)
        if full or b.reject is not None:
            self.sock.sendall(pdus.reject(*(b.reject or [2, 3, 2])))
            return False
        if b.ae_title is not None and rq.called != b.ae_title:
            self.sock.sendall(pdus.reject(1, 1, 7))
            return False
        answers = [self._context(b, o) for o in rq.offers]
        self.transfers = {i: t for i, result, t in answers if result == 0}
        self.sock.sendall(pdus.associate_ac(rq.head, answers, b.max_length))
        self.m.write({"event": "association", "calling": rq.calling, "called": rq.called, "offers": len(rq.offers)})
        return True

    @staticmethod
    def _context(b: Behaviour, offer: pdus.Offer) -> tuple[int, int, str]:
        if offer.abstract == pdus.VERIFICATION:
            return offer.id, 0, pdus.IMPLICIT_LE if pdus.IMPLICIT_LE in offer.transfers else offer.transfers[0]
        if b.pairs is not None:
            known = [p[1] for p in b.pairs if p[0] == offer.abstract]
            fit = [t for t in offer.transfers if t in known]
            return (offer.id, 0, fit[0]) if fit else (offer.id, 4 if known else 3, offer.transfers[0])
        if offer.abstract in b.refuse_abstracts:
            return offer.id, 3, offer.transfers[0]
        fit = [t for t in offer.transfers if b.transfers is None or t in b.transfers]
        return (offer.id, 0, fit[0]) if fit else (offer.id, 4, offer.transfers[0])

    def _limits(self, b: Behaviour, size: int) -> None:
        with self.m.lock:
            self.m.received += size
            total = self.m.received
            self.m.over_limit += bool(b.max_length and size > b.max_length)
        self.mine += size
        if b.die_at is not None and total >= b.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if b.abort_at is not None and self.mine >= b.abort_at:
            self.sock.sendall(pdus.abort(2, 0))
            raise Broken("aborted on command")
        if b.close_at is not None and self.mine >= b.close_at:
            raise Broken("closed on command")

    def _fragment(self, b: Behaviour, context: int, control: int, piece: bytes) -> None:
        if context not in self.transfers:
            self.m.write({"event": "unaccepted", "context": context})
            raise Broken("context not accepted")
        self.buffer += piece
        if self.mood == "reset" and not control & 1:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Broken("reset on command")
        self._early(b, context, control)
        if not control & 2:
            return
        if control & 1:
            command = pdus.parse_command(bytes(self.buffer))
            self.buffer.clear()
            if pdus.number(command, 0x800) == 0x0101:
                self._echo(b, context, command)
            else:
                self.command = command
                self.mood = self._moody(b, pdus.text(command, 0x1000))
            return
        command, data = self.command, bytes(self.buffer)
        if command is None:
            raise Broken("data before command")
        self.buffer.clear()
        self._object(b, context, command, data)
        self.command, self.said = None, False

    def _early(self, b: Behaviour, context: int, control: int) -> None:
        """The answer behind the first fragment of the data set, which nothing of it has been stored of."""
        if b.answer == "early" and self.command is not None and not control & 3 and not self.said and self._bad(b):
            self.said = True
            self._reply(context, pdus.response(self.command, 0))

    def _moody(self, b: Behaviour, sop: str) -> str:
        mood = b.mood(sop) if b.moods and sop not in self.m.moody else ""
        if mood:
            self.m.moody.add(sop)
            self.m.write({"event": "mood", "mood": mood})
        return mood

    def _bad(self, b: Behaviour) -> bool:
        return b.answer != "normal" and (b.answer_first == 0 or self.m.objects < b.answer_first)

    def _reply(self, context: int, command_set: bytes) -> None:
        self.sock.sendall(pdus.pdata(pdus.pdv(context, 3, command_set)))

    def _echo(self, b: Behaviour, context: int, command: dict[int, bytes]) -> None:
        self.m.write({"event": "echo"})
        if b.echo_answer == "never":
            pdus.exactly(self.sock, 1)
        if b.echo_answer == "abort":
            self.sock.sendall(pdus.abort(0, 0))
            raise Broken("aborted on command")
        self._reply(context, pdus.response(command, b.echo_status))

    def _object(self, b: Behaviour, context: int, command: dict[int, bytes], data: bytes) -> None:
        m = self.m
        sop = pdus.text(command, 0x1000)
        status = 0xA700 if self.mood == "full" else b.statuses.get(sop, b.statuses.get("*", 0))
        with m.lock:
            bad = self._bad(b)
            m.objects += 1
            count = m.objects
        dies = b.die_after_object == count
        if (status == 0 or status & 0xF000 == 0xB000) and (b.die_stored or not dies):
            if b.keep:
                m.data[sop] = data
            self._journal(sop, command, context, data)
        else:
            m.write({"event": "refused", "sop": sop, "status": status})
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        if delay := b.late if self.mood == "late" else b.delay:
            threading.Event().wait(delay)
        self._answer(b.answer if bad else "normal", context, command, status)

    def _journal(self, sop: str, command: dict[int, bytes], context: int, data: bytes) -> None:
        rq = self.request
        assert rq is not None
        self.m.write(
            {
                "event": "stored",
                "sop": sop,
                "class": pdus.text(command, 2),
                "sha": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
                "transfer": self.transfers[context],
                "calling": rq.calling,
                "called": rq.called,
                "message": pdus.number(command, 0x110),
            }
        )

    def _answer(self, how: str, context: int, command: dict[int, bytes], status: int) -> None:
        if how == "never":
            self.command = None
            while True:
                pdus.exactly(self.sock, 1)
        if how in ("close", "abort"):
            self.command = None
            if how == "abort":
                self.sock.sendall(pdus.abort(0, 0))
            raise Broken("no answer on command")
        if how == "garbage":
            self.sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            return
        if how == "early":
            return
        wrong = (pdus.number(command, 0x110) + 7) % 65536 if how == "wrong-id" else None
        self._reply(context, pdus.response(command, status, wrong))
        self.m.answered += 1
        if how == "twice":
            self._reply(context, pdus.response(command, status))


def main() -> None:
    journal, behaviour = Path(sys.argv[1]), Behaviour.from_json(sys.argv[2])
    Member(behaviour, journal)
    signal.pause()


if __name__ == "__main__":
    main()
