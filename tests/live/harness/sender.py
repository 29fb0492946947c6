"""The one place for the harness's raw-socket sender: associations of its own, one answer an object, every outcome kept."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import pdus
from .objects import Thing
from .pdus import Broken, Offer

Secure = Callable[[socket.socket], socket.socket]  # what makes a connection a TLS one; raises OSError when it is refused


class Refused(Exception):
    """An A-ASSOCIATE-RJ; `numbers` is (result, source, reason)."""

    def __init__(self, numbers: tuple[int, int, int]) -> None:
        super().__init__("/".join(map(str, numbers)))
        self.numbers = numbers


class Association:
    """One open association as requestor. `accepted` maps (abstract, transfer) to a context id."""

    def __init__(
        self,
        port: int,
        offers: Sequence[Offer],
        *,
        called: str = "PACS",
        calling: str = "SENDER",
        max_length: int = 16384,
        pdu_size: int | None = None,
        timeout: float = 60.0,
        more: bytes = b"",
        source: str | None = None,
        host: str = "127.0.0.1",
        secure: Secure | None = None,
    ) -> None:
        bind = (source, 0) if source else None
        self.sock = socket.create_connection((host, port), timeout=timeout, source_address=bind)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.message = self.largest = 0  # `largest`: the most bytes one of the peer's PDUs had
        self.last_comment = ""
        try:
            if secure is not None:
                self.sock = secure(self.sock)
            self.sock.sendall(pdus.associate_rq(called, calling, offers, max_length, more))
            kind, body = pdus.read_pdu(self.sock)
        except (OSError, Broken):
            self.sock.close()
            raise
        if kind != pdus.AC:
            self.sock.close()
            if kind == pdus.RJ:
                raise Refused((body[1], body[2], body[3]))
            raise Broken(f"PDU {kind} {body[:4].hex()} for an A-ASSOCIATE-RQ")
        self.answers, self.peer_maximum = pdus.parse_ac(body)
        by_id = {o.id: o for o in offers}
        self.accepted = {(by_id[i].abstract, t): i for i, (result, t) in self.answers.items() if result == 0}
        self.pdu_size = pdu_size or min(self.peer_maximum or 131072, 131072)

    def answer(self) -> dict[int, bytes]:
        """The next command set from the peer."""
        data = b""
        while True:
            kind, body = pdus.read_pdu(self.sock)
            self.largest = max(self.largest, len(body))
            if kind == pdus.ABORT:
                raise Broken(f"aborted {body[2]}/{body[3]}")
            if kind != pdus.DATA:
                raise Broken(f"PDU {kind} while waiting for an answer")
            for _, control, piece in pdus.pdvs(body):
                data += piece
                if control & 2:
                    return pdus.parse_command(data)

    def ask(self, context: int, command_set: bytes, data: bytes | None = None) -> int:
        self.sock.sendall(b"".join(pdus.message_pdus(context, command_set, data, self.pdu_size)))
        return self.status()

    def status(self) -> int:
        values = self.answer()
        if pdus.number(values, 0x120) != self.message:
            raise Broken(f"answer to message {pdus.number(values, 0x120)} instead of {self.message}")
        self.last_comment = pdus.text(values, 0x902)
        return pdus.number(values, 0x900)

    def store(self, t: Thing, **command_values: int | str) -> int:
        """The status; -1 when its pair was not accepted."""
        context = self.accepted.get(t.pair)
        if context is None:
            return -1
        self.message = self.message % 65535 + 1
        more = {int(k[1:], 16): v for k, v in command_values.items()}
        return self.ask(context, pdus.store_rq(t.sop_class, t.sop_instance, self.message, more=more), t.data)

    def echo(self) -> int:
        self.message += 1
        return self.ask(self.accepted[(pdus.VERIFICATION, pdus.IMPLICIT_LE)], pdus.echo_rq(self.message))

    def release(self) -> None:
        try:
            self.sock.sendall(pdus.pdu(pdus.RELEASE_RQ, bytes(4)))
            kind, _ = pdus.read_pdu(self.sock)
            if kind != pdus.RELEASE_RP:
                raise Broken(f"PDU {kind} for an A-RELEASE-RQ")
        finally:
            self.sock.close()

    def abort(self) -> None:
        self.sock.sendall(pdus.abort())
        self.sock.close()

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


@dataclass
class Outcome:
    """What a batch of sends came to; `errors` are broken or refused associations, in words."""

    statuses: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    rejects: list[tuple[int, int, int]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def acked(self) -> set[str]:
        return {u for u, s in self.statuses.items() if s == 0 or s & 0xF000 == 0xB000}

    @property
    def refused(self) -> set[str]:
        return set(self.statuses) - self.acked


@dataclass
class Batch:
    """How `send` works: the association's parameters, and what happens behind each answer."""

    port: int
    called: str = "PACS"
    calling: str = "SENDER"
    pdu_size: int | None = None
    max_length: int = 16384
    timeout: float = 60.0
    after: Callable[[Thing, int], None] | None = None
    stop: threading.Event | None = None
    secure: Secure | None = None
    out: Outcome = field(default_factory=Outcome)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, share: Sequence[Thing]) -> Association:
        pairs = [(pdus.VERIFICATION, pdus.IMPLICIT_LE), *(t.pair for t in share)]
        return Association(
            self.port,
            pdus.offers_for(pairs),
            called=self.called,
            calling=self.calling,
            pdu_size=self.pdu_size,
            max_length=self.max_length,
            timeout=self.timeout,
            secure=self.secure,
        )

    def work(self, share: Sequence[Thing]) -> None:
        """One association with its share of the objects, to its end or its first fault."""
        try:
            a = self.open(share)
            for t in share:
                if self.stop is not None and self.stop.is_set():
                    break
                status = a.store(t)
                with self.lock:
                    self.out.statuses[t.sop_instance] = status
                    self.out.comments[t.sop_instance] = a.last_comment
                if self.after is not None:
                    self.after(t, status)
            a.release()
        except Refused as e:
            with self.lock:
                self.out.rejects.append(e.numbers)
        except (OSError, Broken) as e:
            with self.lock:
                self.out.errors.append(f"{type(e).__name__}: {e}")


def send(port: int, things: Sequence[Thing], *, associations: int = 1, by_study: bool = False, **how: Any) -> Outcome:
    """Send `things` dealt over `associations` threads, never sending one twice; a broken association ends its share.

    `by_study` gives all objects of a study to one association; `how` is what `Batch` takes.
    """
    batch = Batch(port, **how)
    studies = {s: i for i, s in enumerate(dict.fromkeys(t.study for t in things))}
    shares: list[list[Thing]] = [[] for _ in range(associations)]
    for i, t in enumerate(things):
        shares[(studies[t.study] if by_study else i) % associations].append(t)
    threads = [threading.Thread(target=batch.work, args=(s,), daemon=True) for s in shares if s]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    return batch.out


def echo(port: int, *, called: str = "PACS", calling: str = "SENDER", timeout: float = 10.0) -> int:
    """The status of one C-ECHO on an association of its own."""
    offers = pdus.offers_for([(pdus.VERIFICATION, pdus.IMPLICIT_LE)])
    a = Association(port, offers, called=called, calling=calling, timeout=timeout)
    status = a.echo()
    a.release()
    return status
