"""The one place for the DICOM upper layer core: PS3.8 Table 9-10 walked, both roles, no I/O.

In: bytes, closed, tick, local requests. Out: events (`take`) and `deadline`. Nothing a peer or the clock does raises: it is
answered or noted. What our own code asks for in a wrong state raises `LocalError` and changes nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from gurney.errors import LocalError
from gurney.wire.dicom import pdu, states
from gurney.wire.dicom.events import (
    Aborted,
    Accepted,
    Close,
    Closed,
    Event,
    Note,
    Rejected,
    Released,
    ReleaseRequested,
    Requested,
    Send,
)
from gurney.wire.dicom.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ, PduFault
from gurney.wire.dicom.pdv import BETWEEN, P_DATA, SMALLEST_MAXIMUM, Buffer, Inbound
from gurney.wire.dicom.timers import Pace, Timers

_HEADER = struct.Struct(">BxI")
_SHORT = {
    pdu.TYPE_RJ: states.GOT_RJ,
    pdu.TYPE_RELEASE_RQ: states.GOT_RELEASE_RQ,
    pdu.TYPE_RELEASE_RP: states.GOT_RELEASE_RP,
    pdu.TYPE_ABORT: states.GOT_ABORT,
}
_EVENT_OF = {**_SHORT, pdu.TYPE_RQ: states.GOT_RQ, pdu.TYPE_AC: states.GOT_AC, pdu.TYPE_DATA: states.GOT_DATA}
_WAITING = {  # states that wait for the peer, what for, and the word when it did not come
    states.DIALLING: ("connect", "connect-timeout"),
    states.WAIT_AC: ("associate", "answer-timeout"),
    states.WE_RELEASE: ("release", "release-timeout"),
    states.COLLISION_WAIT_ACCEPTED: ("release", "release-timeout"),
    states.COLLISION_WAIT_DIALLED: ("release", "release-timeout"),
    states.WAIT_RQ: ("artim", "artim"),
    states.WAIT_CLOSE: ("artim", "artim"),
}

_CONFIRMS = {cell for cell, action in states.TABLE.items() if cell[0] == states.GOT_RELEASE_RP and action in ("AR-3", "AR-10")}


class Upper:
    """One association, or one attempt at it.

    `accepting`: begins in Sta2 at `now` with ARTIM running. Dialling: begins in Sta4 at `now`; `request` says that the
    transport is connected. `own_maximum` bounds a P-DATA-TF variable field until `accept` or `request` advertise another.

    Local requests take `now` as an option. Left out, the deadline they start counts from the next `tick` or `receive`, and until
    then `deadline` says the time last heard of, which asks for that tick at once.

    `hold` is the caller's to set at any time; see `receive`.
    """

    def __init__(self, accepting: bool, now: float, timers: Timers | None = None, own_maximum: int = pdu.OWN_MAXIMUM) -> None:
        self.accepting = accepting
        self.timers = timers or Timers()
        self.own_maximum = own_maximum
        self.peer_maximum = pdu.DEFAULT_MAXIMUM  # of the peer, 0 = no limit; known from Requested or Accepted on
        self.hold = False
        self.state = states.WAIT_RQ if accepting else states.DIALLING
        self._now = now
        self._due: float | None = None  # of the state; ARTIM is nothing else
        self._unarmed = False  # a deadline of the state that waits to hear what time it is
        self.events: list[Event] = []  # told and not yet taken
        self._noted: set[str] = set()
        self._tolerated: dict[str, None] = {}
        self._inbound = Inbound(own_maximum, self._tolerated)
        self._gathered: bytearray | None = None  # an A-ASSOCIATE PDU on its way
        self._wanted = 0  # its whole length
        self._discard = 0  # bytes of a PDU nobody reads
        self._asked: AssociateRQ | None = None
        self._clean = False
        self._stop = False  # the caller has to decide something before what follows is read
        self._complained = False  # AA-7 has answered once
        self._pace = Pace(self.timers, now)
        self._left = 0  # bytes given to `receive` and not consumed
        self._cut = False  # they are a cut header
        self._arm(now)

    # what the caller looks at

    @property
    def inside_message(self) -> bool:
        """A message has begun and not ended (a cut header counts)."""
        return self._cut or self._inbound.phase != BETWEEN

    @property
    def unfinished(self) -> bool:
        """Something has begun and not come whole: a message, an A-ASSOCIATE PDU, a header; the peer has more to send before we have."""
        return self._left > 0 or self._gathered is not None or self._inbound.phase != BETWEEN

    @property
    def abortable(self) -> bool:
        """Whether `abort` is allowed; where it is not (Sta1, Sta2, Sta13) the caller just closes and says `closed`."""
        return (states.ABORT, self.state) in states.TABLE

    @property
    def deadline(self) -> float | None:
        """When `tick` is due, on the caller's clock; None: never."""
        if self._unarmed:
            return self._now
        if self.state != states.OPEN:
            return self._due
        return self._pace.deadline(self.inside_message, self.accepting)

    def take(self) -> list[Event]:
        """The events since the last `take`, in order."""
        events = self.events
        self.events = []
        return events

    # the peer, the transport and the clock

    def receive(self, buf: Buffer, start: int, end: int, now: float) -> int:
        """Read PDUs in place in buf[start:end); returns the offset up to which they are consumed.

        What is left over is a header cut by `end` (at most 11 bytes: give it again with what follows), or a P-DATA-TF PDU that
        would begin a new message while `hold` is set (everything before it has been processed), or whatever follows what the
        caller has to decide on: receive always returns right after a message's last byte, Requested and ReleaseRequested.
        So: act on `take()`, call again from the returned offset, until it is returned once more. Data offsets are of this call's buf.
        """
        self._now = now
        if self._unarmed:
            self._arm(now)
        if end - start > self._left:  # those beyond what was left over are new
            self._pace.hear(end - start - self._left, self._cut or self._inbound.phase != BETWEEN, now)
        pos, before = start, -1
        self._cut = False
        inbound = self._inbound
        while pos != before:
            before = pos
            if inbound.pdu_left or (  # set only where P-DATA-TF is taken
                end - pos >= _HEADER.size
                and buf[pos] == P_DATA
                and self.state in states.TAKES_DATA
                and not (self._discard or (self.hold and inbound.phase == BETWEEN))
            ):
                pos = inbound.walk(buf, pos, end, self.events)
                if inbound.fault is not None:
                    pos = self._fault(pos, end)
            elif self._discard:
                size = min(self._discard, end - pos)
                self._discard -= size
                pos += size
            elif self._gathered is not None:
                pos = self._gather(buf, pos, end)
            elif self.state in (states.IDLE, states.DIALLING):
                if self.state == states.DIALLING and end > pos:
                    self._note("bytes-before-connection")
                pos = end
            elif end - pos >= 6:
                pos = self._pdu(buf, pos, end)
            if inbound.ended or self._stop:
                inbound.ended = self._stop = False
                break
        else:
            self._cut = 0 < end - pos < 12 and not (self.hold and self._held(buf, pos))
        self._left = end - pos
        if self._tolerated:
            self._note_tolerated()
        return pos

    def closed(self, now: float) -> None:
        """The peer closed the transport, or it failed."""
        self._now = now
        if (states.GOT_RELEASE_RP, self.state) in _CONFIRMS:
            self._note("closed-without-release-rp")
            self._clean = True
            self.events.append(Released())
        self._do(states.CLOSED)

    def tick(self, now: float) -> None:
        """Time has passed; fires what is due."""
        self._catch_up(now)
        if self.state == states.OPEN:
            self._tick_open(now)
        elif self._due is not None and now >= self._due:
            self._due = None
            if (states.ARTIM, self.state) in states.TABLE:
                self._do(states.ARTIM)
            else:
                self._give_up(_WAITING[self.state][1])

    def paused(self, now: float) -> None:
        """Our side has stopped reading: a peer that sends nothing is not to blame."""
        self._catch_up(now)
        self._pace.paused = True

    def resumed(self, now: float) -> None:
        """Our side reads again; the deadlines of a message begin anew."""
        self._catch_up(now)
        self._pace.paused = False
        self._pace.restart(now)

    # local requests

    def request(self, rq: AssociateRQ, now: float | None = None) -> None:
        """The transport is connected: ask for an association (Evt2)."""
        self._local(states.CONNECTED, rq.encode, now)
        self._asked = rq
        self._limit(rq.max_length)

    def accept(self, ac: AssociateAC, now: float | None = None) -> None:
        """Accept what was Requested; `ac.contexts` are among those proposed, each once."""
        proposed = {context.id for context in self._asked.contexts} if self._asked is not None else set()
        ids = [context.id for context in ac.contexts]
        if len(set(ids)) != len(ids) or not proposed.issuperset(ids):
            raise LocalError("an A-ASSOCIATE-AC answers contexts that were not proposed, or one twice")
        self._local(states.ACCEPT, ac.encode, now)
        self._inbound.accepted = frozenset(context.id for context in ac.contexts if context.result == pdu.ACCEPTED)
        self._limit(ac.max_length)
        self._pace.restart(self._now)

    def reject(self, result: int, source: int, reason: int, now: float | None = None) -> None:
        """Reject what was Requested."""
        self._local(states.REJECT, AssociateRJ(result, source, reason).encode, now)
        self._clean = True

    def release(self, now: float | None = None) -> None:
        """Ask the peer to release."""
        self._local(states.RELEASE, lambda: pdu.RELEASE_RQ, now)

    def answer_release(self, now: float | None = None) -> None:
        """Answer ReleaseRequested, after the answers owed were sent."""
        self._local(states.ANSWER_RELEASE, lambda: pdu.RELEASE_RP, now)
        self._clean = self.state == states.WAIT_CLOSE

    def abort(self, source: int = 0, reason: int = 0, now: float | None = None) -> None:
        """Abort; while dialling (Sta4) this only closes."""
        self._local(states.ABORT, Abort(source, reason).encode, now)

    def check_sending(self) -> None:
        """P-DATA-TF may be sent now (Sta6, Sta8); the caller sends it past the core."""
        if (states.SEND_DATA, self.state) not in states.TABLE:
            raise LocalError(f"P-DATA-TF cannot be sent in Sta{self.state}")

    # actions of PS3.8 Tables 9-6 to 9-9

    def _local(self, event: int, encode: Callable[[], bytes], now: float | None) -> None:
        """A local request: refused in a wrong state or with what cannot be written, before anything changes."""
        action = states.TABLE.get((event, self.state))
        if action is None:
            raise LocalError(f"event {event} of PS3.8 Table 9-10 cannot happen in Sta{self.state}")
        try:
            data = encode()
        except (struct.error, ValueError, OverflowError) as error:
            raise LocalError(f"a PDU cannot be written: {error}") from error
        if now is not None:
            self._catch_up(now)
        if action == "AA-2":
            self._gone(close=True)
            return
        self.events.append(Send(data))
        self._go(states.NEXT[action][0], now)

    def _do(self, event: int, reason: int = 2, why: str = "unexpected-pdu", body: bytes = b"") -> None:
        """An event from the peer, the transport or the clock. An empty cell is one that comes too late to mean anything."""
        action = states.TABLE.get((event, self.state))
        match action:
            case None | "AA-6":
                if event not in (states.CLOSED, states.ARTIM):
                    self._note("pdu-after-the-end")
            case "AE-3" | "AE-4" | "AE-6":
                self._answered(action, body)
            case "AR-2" | "AR-8":
                self._release_asked(action)
            case "AR-3":
                self.events.append(Released())
                self._clean = True
                self._gone(close=True)
            case "AR-10":
                self.events += (Released(), ReleaseRequested())
                self._clean = self._stop = True
                self._go(states.NEXT[action][0], self._now)
            case "AA-1" | "AA-8":
                self._abort(0 if action == "AA-1" else 2, 0 if action == "AA-1" else reason, why)
            case "AA-7":
                self._complain(reason)
            case "AA-2" | "AA-3":
                if event == states.GOT_ABORT and self.state != states.WAIT_CLOSE:
                    self.events.append(Aborted(body[-2], body[-1], True))
                self._gone(close=True)
            case "AA-4" | "AA-5" | "AR-5":
                self._gone(close=False)

    def _answered(self, action: str, body: bytes) -> None:
        """AE-3, AE-4, AE-6: an A-ASSOCIATE PDU where it is awaited."""
        try:
            if action == "AE-4":
                self.events.append(Rejected(*body[-3:]))
                self._clean = True
                self._gone(close=True)
                return
            message = AssociateAC.decode(body) if action == "AE-3" else AssociateRQ.decode(body)
            if 0 < message.max_length < SMALLEST_MAXIMUM:
                raise PduFault(6, "maximum-length-too-small")
        except PduFault as fault:
            self._do(states.GOT_INVALID, fault.reason, fault.why)
            return
        self.peer_maximum = message.max_length
        if isinstance(message, AssociateAC):
            self._accepted(message)
            return
        self._note_all(message.notes)
        refused = pdu.fault(message)
        if refused is None:
            self._asked = message
            self.events.append(Requested(message))
            self._stop = True
            self._go(states.ANSWER_DUE, self._now)
        else:
            self._clean = True
            self.events += (Send(AssociateRJ(*refused).encode()), Rejected(*refused))
            self._go(states.WAIT_CLOSE, self._now)

    def _accepted(self, ac: AssociateAC) -> None:
        ac = pdu.only_asked(ac, self._asked.contexts if self._asked is not None else ())
        self._note_all(ac.notes)
        self._inbound.accepted = frozenset(context.id for context in ac.contexts if context.result == pdu.ACCEPTED)
        self.events.append(Accepted(ac))
        self._go(states.OPEN, self._now)
        self._pace.restart(self._now)

    def _release_asked(self, action: str) -> None:
        """AR-2, AR-8. In a collision the side that accepted may answer only after its own RP (Sta12): it is told then."""
        if self._inbound.phase != BETWEEN:
            self._note("release-inside-message")
        collision = action == "AR-8" and self.accepting
        if not collision:
            self.events.append(ReleaseRequested())
            self._stop = True
        self._go(states.NEXT[action][1 if collision else 0], self._now)

    def _abort(self, source: int, reason: int, why: str) -> None:
        self.events += (Send(Abort(source, reason).encode()), Aborted(source, reason, False, why))
        self._go(states.WAIT_CLOSE, self._now)

    def _complain(self, reason: int) -> None:
        """AA-7, once a connection: a peer that goes on shall not make us answer without end."""
        if self._complained:
            self._note("pdu-after-the-end")
        else:
            self._complained = True
            self.events.append(Send(Abort(2, reason).encode()))

    def _give_up(self, why: str) -> None:
        """A deadline of ours passed: AA-1 as by a local abort (Evt15), AA-2 while dialling."""
        if states.TABLE[states.ABORT, self.state] == "AA-2":
            self._gone(close=True)
        else:
            self._abort(0, 0, why)

    def _gone(self, close: bool) -> None:
        """Sta1: nothing follows."""
        if close:
            self.events.append(Close())
        self.events.append(Closed(self._clean))
        self._go(states.IDLE, self._now)

    def _go(self, state: int, now: float | None) -> None:
        """Enter a state; its deadline counts from `now`, or from the next time heard of."""
        self.state = state
        self._arm(now)

    # PDUs

    def _pdu(self, buf: Buffer, pos: int, end: int) -> int:
        """A PDU header of 6 bytes stands at pos. Returns pos itself when more is needed or the PDU is held."""
        kind, length = _HEADER.unpack_from(buf, pos)
        event = _EVENT_OF.get(kind)
        if kind == P_DATA and self.state in states.TAKES_DATA:
            return pos  # held
        if event is None:
            self._discard = length
            self._do(states.GOT_INVALID, 1, "unknown-pdu")
            return pos + 6
        if kind in _SHORT:
            if length != 4:
                self._discard = length
                self._do(states.GOT_INVALID, 6, "wrong-length")
                return pos + 6
            if end - pos < 10:
                return pos
            self._do(event, body=bytes(buf[pos : pos + 10]))
            return pos + 10
        if states.TABLE.get((event, self.state)) in ("AE-3", "AE-6"):
            if 68 <= length <= pdu.MAX_ASSOCIATE:
                self._gathered, self._wanted = bytearray(), 6 + length
                return self._gather(buf, pos, end)
            self._discard = length
            self._do(states.GOT_INVALID, 6, "pdu-over-limit" if length > 68 else "wrong-length")
            return pos + 6
        self._discard = length
        self._do(event)
        return pos + 6

    def _fault(self, pos: int, end: int) -> int:
        """The walk stopped at `pos` at something forbidden: the rest of that PDU is passed over."""
        inbound = self._inbound
        fault, inbound.fault = inbound.fault, None
        assert fault is not None
        size = min(inbound.skip, end - pos)
        self._discard = inbound.skip - size
        inbound.pdu_left = 0
        self._do(states.GOT_INVALID, fault.reason, fault.why)
        return pos + size

    def _gather(self, buf: Buffer, pos: int, end: int) -> int:
        """Keep what has come of an A-ASSOCIATE PDU, at most 256 KiB; act on it when it is whole."""
        gathered = self._gathered
        if gathered is None:
            return pos
        size = min(self._wanted - len(gathered), end - pos)
        gathered += buf[pos : pos + size]
        if len(gathered) == self._wanted:
            self._gathered = None
            self._do(_EVENT_OF[gathered[0]], body=bytes(gathered))
        return pos + size

    def _held(self, buf: Buffer, pos: int) -> bool:
        return self.state in states.TAKES_DATA and self._inbound.phase == BETWEEN and buf[pos] == P_DATA

    # time

    def _arm(self, now: float | None) -> None:
        name = _WAITING.get(self.state, (None, ""))[0]
        self._unarmed = name is not None and now is None
        self._due = None if name is None or now is None else now + getattr(self.timers, name)

    def _catch_up(self, now: float) -> None:
        self._now = now
        if self._unarmed:
            self._arm(now)

    def _tick_open(self, now: float) -> None:
        """Sta6: silence or slowness inside a message, silence between messages of a sender to whom we owe nothing."""
        if self.hold and not self.inside_message:
            self._pace.restart(now)
        word = self._pace.late(self.inside_message, self.accepting, now)
        if word is not None:
            self._give_up(word)

    # notes

    def _note(self, word: str) -> None:
        if word not in self._noted:
            self._noted.add(word)
            self.events.append(Note(word))

    def _note_all(self, words: tuple[str, ...]) -> None:
        for word in words:
            self._note(word)

    def _note_tolerated(self) -> None:
        self._note_all(tuple(self._tolerated))
        self._tolerated.clear()

    def _limit(self, advertised: int) -> None:
        """What we advertised is what we enforce; 0 promises no limit, and our own stays."""
        self._inbound.maximum = advertised or self.own_maximum
