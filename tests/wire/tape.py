"""The one place for what the upper layer's tests share: a caller of small and honest habits, and what it saw as one comparable value."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from gurney.wire.dicom import events, pdu, pdv
from gurney.wire.dicom.upper import Upper

CAPTURES = Path(__file__).parent / "captures"
VERIFICATION, CT, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2"
RQ = pdu.AssociateRQ(
    called_ae="PACS",
    calling_ae="CT1",
    contexts=(pdu.ContextRQ(1, VERIFICATION, (IMPLICIT,)), pdu.ContextRQ(3, CT, (IMPLICIT,)), pdu.ContextRQ(5, CT, ("1.2.3",))),
)


def ac_of_first(rq: pdu.AssociateRQ) -> pdu.AssociateAC:
    """An AC that takes the first transfer syntax of every context, so that whatever a capture sends is taken."""
    contexts = (pdu.ContextAC(c.id, *((0, c.transfers[0]) if c.transfers else (4, ""))) for c in rq.contexts)
    return pdu.AssociateAC(ae_bytes=rq.ae_bytes, contexts=tuple(contexts))


def ac_for(rq: pdu.AssociateRQ) -> pdu.AssociateAC:
    """An AC that takes what is proposed in Implicit LE."""
    contexts = (pdu.ContextAC(c.id, *((0, IMPLICIT) if IMPLICIT in c.transfers else (4, IMPLICIT))) for c in rq.contexts)
    return pdu.AssociateAC(ae_bytes=rq.ae_bytes, contexts=tuple(contexts))


AC = pdu.AssociateAC.decode(ac_for(pdu.AssociateRQ.decode(RQ.encode())).encode())


def command(data_set: int | None = 0, size: int = 0) -> bytes:
    """A command set with Command Data Set Type `data_set` (None: without) and about `size` bytes of other elements."""
    text = struct.pack("<HHI", 0, 0x0002, size) + bytes(size)
    return text if data_set is None else text + struct.pack("<HHIH", 0, 0x0800, 2, data_set)


def item(payload: bytes, control: int = 0, context: int = 3, size: int | None = None) -> bytes:
    """A PDV; `size` lies about its length field."""
    return struct.pack(">IBB", len(payload) + 2 if size is None else size, context, control) + payload


def p_data(*items: bytes, size: int | None = None) -> bytes:
    """A P-DATA-TF PDU; `size` lies about its length field."""
    body = b"".join(items)
    return struct.pack(">BxI", 4, len(body) if size is None else size) + body


def store(payload: bytes, maximum: int = 64, context: int = 3) -> bytes:
    """A command and its data set in PDUs of at most `maximum`."""
    room = maximum - 6
    pieces = [payload[at : at + room] for at in range(0, len(payload), room)] or [b""]
    data = b"".join(p_data(item(piece, pdv.LAST if n == len(pieces) - 1 else 0, context)) for n, piece in enumerate(pieces))
    return pdv.fragment_command(context, command(), maximum) + data


Accept = Callable[[pdu.AssociateRQ], pdu.AssociateAC]


@dataclass
class Message:
    """A message as it came: the command, and the runs of its data set joined, each lead's header written."""

    context_id: int
    command: bytes
    data_set: bool
    wire: bytearray = field(default_factory=bytearray)
    context_ids: list[int] = field(default_factory=list)  # offsets in wire
    payload: bytearray = field(default_factory=bytearray)
    whole: bool = False
    walker: pdv.Payload = field(default_factory=pdv.Payload, compare=False)

    def seen(self) -> tuple[object, ...]:
        """All of it, to compare."""
        return (self.context_id, self.command, bytes(self.wire), tuple(self.context_ids), bytes(self.payload), self.whole)


class Caller:
    """Owns a core, keeps what it leaves over, and answers: accepts every request, answers every release (unless told not to).

    `trace` does not depend on how the bytes were cut; `notes` is the set of what was tolerated.
    """

    def __init__(self, upper: Upper, *, accept: Accept | pdu.AssociateAC = ac_for, answering: bool = True) -> None:
        self.upper = upper
        self.trace: list[object] = []
        self.notes: set[str] = set()
        self.sent = bytearray()
        self.messages: list[Message] = []
        self.rq: pdu.AssociateRQ | None = None
        self.closing = False
        self._accept = accept
        self._answering = answering
        self._kept = bytearray()
        self.look(b"")

    def feed(self, data: bytes, now: float = 0.0) -> None:
        """Bytes have come. Checks what `receive` promises about what it leaves over."""
        start, end = 5, 5 + len(self._kept) + len(data)
        buf = bytearray(b"\x04\0\0\0\0") + self._kept + data + data[:64]  # as in a buffer used again: old bytes on both sides
        while True:
            stop = self.upper.receive(buf, start, end, now)
            assert start <= stop <= end
            self.look(buf)
            if stop == start:
                break
            start = stop
        self._kept = buf[start:end]
        assert self.upper.hold or len(self._kept) <= 11

    def feed_cut(self, data: bytes, cuts: Iterable[int], now: float = 0.0) -> None:
        """The same, in pieces that end at `cuts`."""
        at = 0
        for cut in (*cuts, len(data)):
            self.feed(data[at:cut], now)
            at = cut

    def look(self, buf: bytes | bytearray) -> None:
        """Take the events and act on them."""
        taken = self.upper.take()
        assert len([event for event in taken if isinstance(event, events.Data)]) <= 1
        for event in taken:
            assert not self.closing or isinstance(event, events.Note), f"{event} after Closed"
            self._see(event, buf)
        if any(isinstance(event, events.Requested | events.ReleaseRequested) for event in taken):
            self.look(buf)

    def _see(self, event: events.Event, buf: bytes | bytearray) -> None:
        match event:
            case events.Note(word):
                self.notes.add(word)
            case events.Send(data):
                self.sent += data
                self.trace.append(("send", data))
            case events.CommandSet(context_id, data, data_set):
                self.messages.append(Message(context_id, data, data_set, whole=not data_set))
                self.trace.append(("message", len(self.messages)))
            case events.Data():
                self._run(event, buf)
            case events.Requested(rq):
                self.rq = rq
                self.trace.append(event)
                if self._answering:
                    self.upper.accept(self._accept if isinstance(self._accept, pdu.AssociateAC) else self._accept(rq))
            case events.ReleaseRequested():
                self.trace.append(event)
                if self._answering:
                    self.upper.answer_release()
            case _:
                self.closing = self.closing or isinstance(event, events.Closed)
                self.trace.append(event)

    def _run(self, event: events.Data, buf: bytes | bytearray) -> None:
        message = self.messages[-1]
        assert message.data_set and not message.whole
        if event.lead:
            assert not message.wire
            message.wire += pdv.header(event.lead)
        base = len(message.wire) - event.start
        assert 0 <= event.start < event.end <= len(buf)
        message.wire += buf[event.start : event.end]
        offsets = [*chain.from_iterable(event.context_ids)]
        message.context_ids += [base + offset for offset in offsets]
        assert all(buf[offset] == message.context_id and event.start <= offset < event.end for offset in offsets)
        for span in message.walker.spans(memoryview(buf)[event.start : event.end], event.lead):
            assert span
            message.payload += span
        message.whole = event.last
        if event.last:
            self.trace.append(("whole", len(self.messages)))

    def seen(self) -> tuple[object, ...]:
        """Everything, to compare one way of cutting with another."""
        return (self.trace, self.notes, [message.seen() for message in self.messages], bytes(self._kept), self.upper.state)


def accepting(**options: object) -> Caller:
    """A caller whose core was connected to at 0."""
    return Caller(Upper(True, 0.0), **options)  # type: ignore[arg-type]


def accepted(**options: object) -> Caller:
    """An association we accepted is open."""
    caller = accepting(**options)
    caller.feed(RQ.encode())
    assert caller.upper.state == 6
    return caller


def dialled(**options: object) -> Caller:
    """An association we asked for is open."""
    caller = Caller(Upper(False, 0.0), **options)  # type: ignore[arg-type]
    caller.upper.request(RQ)
    caller.look(b"")
    caller.feed(AC.encode())
    assert caller.upper.state == 6
    return caller
