"""A state machine over both roles: any PDU in any state, any request of ours, any pace of time; held against PS3.8 Table 9-10.

Two cores hear and are asked the same, one of them whole, the other in pieces: both say the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gurney.errors import LocalError
from gurney.wire.dicom import events, pdu, pdv, states
from gurney.wire.dicom.timers import Timers
from gurney.wire.dicom.upper import Upper
from tests.wire.bounds import bounded
from tests.wire.malformed.upper_layer import CASES
from tests.wire.tape import RQ, Caller, command, item, p_data, store
from tests.wire.test_states import WIRE, at

TIMERS = Timers()
DUE = {  # how long a state waits for the peer; the others wait for us, or go by the pace of the peer (dicom.md §2)
    states.WAIT_RQ: TIMERS.artim,
    states.WAIT_CLOSE: TIMERS.artim,
    states.DIALLING: TIMERS.connect,
    states.WAIT_AC: TIMERS.associate,
    states.WE_RELEASE: TIMERS.release,
    states.COLLISION_WAIT_ACCEPTED: TIMERS.release,
    states.COLLISION_WAIT_DIALLED: TIMERS.release,
}
ANSWERS = {  # what must be told, or sent, when an action is taken because of a peer
    "AE-3": events.Accepted,
    "AE-4": events.Rejected,
    "AE-6": events.Requested,
    "AR-2": events.ReleaseRequested,
    "AR-3": events.Released,
    "AR-10": events.Released,
    "AA-1": events.Aborted,
    "AA-8": events.Aborted,
    "AA-2": events.Closed,
    "AA-3": events.Aborted,
}

PIECES = [store(b"data"), p_data(item(command(0x101), 3)), p_data(item(command(), 3)), p_data(item(b"more", 0)), p_data(item(b"end", 2))]
PIECES += [p_data(item(b"", 3, context=99)), struct.pack(">BxI", 4, 0xFFFFFFFF), p_data(item(b"8 bytes!")) * 5, b"\x04\x00\x00\x00\x00"]
PIECES += [case.data for case in CASES if len(case.data) < 400]
ASKS: dict[int, Callable[[Upper, float], None]] = {
    states.CONNECTED: lambda upper, now: upper.request(RQ, now),
    states.ACCEPT: lambda upper, now: upper.accept(pdu.AssociateAC(contexts=(pdu.ContextAC(3, 0, "1.2.840.10008.1.2"),)), now),
    states.REJECT: lambda upper, now: upper.reject(1, 1, 1, now),
    states.SEND_DATA: lambda upper, now: upper.check_sending(),
    states.RELEASE: lambda upper, now: upper.release(now),
    states.ANSWER_RELEASE: lambda upper, now: upper.answer_release(now),
    states.ABORT: lambda upper, now: upper.abort(now=now),
}


class BothRoles(RuleBasedStateMachine):
    """Two cores that hear and are asked the same."""

    @initialize(state=st.sampled_from(states.STATES), fresh=st.booleans(), accepting=st.booleans())
    def begin(self, state: int, fresh: bool, accepting: bool) -> None:
        """A connection that stands in any state, or a new one of either role."""
        self.now = self.entered = 0.0
        self.paused = False
        self.pair = [Caller(Upper(accepting, 0.0), answering=False) if fresh else at(state) for _ in range(2)]
        for caller in self.pair:
            caller._answering = False
            caller.upper.tick(0.0)
        self.state = self.pair[0].upper.state

    def both(self, ask: Callable[[Upper], None]) -> None:
        """Ask both, and see what they have to say."""
        for caller in self.pair:
            ask(caller.upper)
            caller.look(b"")

    def hear(self, data: bytes, cuts: list[int]) -> list[object]:
        """Bytes for both; what the first one made of them."""
        whole, pieces = self.pair
        told = len(whole.trace)
        self.now += 1.0
        whole.feed(data, self.now)
        pieces.feed_cut(data, sorted(cut for cut in cuts if cut < len(data)), self.now)
        return whole.trace[told:]

    @property
    def between(self) -> bool:
        """Nothing of a PDU or of a message is under way, so that the next bytes are a PDU by themselves."""
        upper = self.pair[0].upper
        inside = upper._gathered is not None or upper._discard or upper._inbound.pdu_left or upper._inbound.phase != pdv.BETWEEN
        return not inside and not self.pair[0]._kept and not upper.hold

    @precondition(lambda self: self.between)
    @rule(event=st.sampled_from(sorted(WIRE)), cuts=st.lists(st.integers(0, 250), max_size=4))
    def one_pdu_comes(self, event: int, cuts: list[int]) -> None:
        """A whole PDU: the table's action, its next state, and an answer, an event or a note for it."""
        upper = self.pair[0].upper
        before, action = upper.state, states.TABLE.get((event, upper.state))
        told = self.hear(WIRE[event], cuts)
        if action is None:  # Sta1 and Sta4 take no PDU
            assert (before, upper.state) in ((states.IDLE, states.IDLE), (states.DIALLING, states.DIALLING))
            assert before == states.IDLE or "bytes-before-connection" in self.pair[0].notes
        elif action in ("DT-2", "AR-6"):  # a PDV of no command is taken, or is the fault that Table 9-10's Evt19 is for
            assert upper.state in (before, states.WAIT_CLOSE) and (told or upper._inbound.phase != pdv.BETWEEN)
        else:
            assert upper.state in states.NEXT[action], (action, told)
            due = ANSWERS.get(action, events.Note)
            noted = action in ("AA-6", "AA-7", "AR-8") or any(isinstance(entry, due) for entry in told)
            assert noted, (action, told)
            if action in ("AA-1", "AA-8"):
                assert told[0] == ("send", pdu.Abort(*((0, 0) if action == "AA-1" else (2, _reason(event)))).encode())

    @rule(data=st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), cuts=st.lists(st.integers(0, 400), max_size=5))
    def bytes_come(self, data: bytes, cuts: list[int]) -> None:
        """Any bytes: something is seen of them, or they are noted, or they belong to what is under way, or nobody listens."""
        whole = self.pair[0]
        before = (whole.seen()[2], bytes(whole._kept), whole.upper._discard, whole.upper._gathered)
        state = whole.upper.state
        told = self.hear(data, cuts)
        changed = before != (whole.seen()[2], bytes(whole._kept), whole.upper._discard, whole.upper._gathered)
        begun = whole.upper._inbound.phase != pdv.BETWEEN
        assert not data or told or changed or begun or state == states.IDLE or whole.notes

    @rule(event=st.sampled_from(sorted(ASKS)))
    def we_ask(self, event: int) -> None:
        """A request of ours: taken where the table has a cell, a LocalError elsewhere, which changes nothing."""
        for caller in self.pair:
            upper = caller.upper
            before = upper.state
            proposed = upper._asked is not None and 3 in {context.id for context in upper._asked.contexts}
            if (event, before) in states.TABLE and (event != states.ACCEPT or proposed):
                ASKS[event](upper, self.now)
                assert upper.state in states.NEXT[states.TABLE[event, before]]
            else:
                deadline = upper.deadline
                with pytest.raises(LocalError):
                    ASKS[event](upper, self.now)
                assert (upper.state, upper.deadline, upper.take()) == (before, deadline, [])
            assert upper.abortable == ((states.ABORT, upper.state) in states.TABLE)
            caller.look(b"")

    @rule(later=st.sampled_from((0.0, 0.5, 1.0, 5.0, 60.0, 900.0)), due=st.booleans())
    def time_passes(self, later: float, due: bool) -> None:
        """The clock goes on, by something or to the deadline; before it nothing happens, at it the core acts."""
        upper = self.pair[0].upper
        before, deadline = upper.state, upper.deadline
        self.now = max(self.now, deadline or 0.0) if due else self.now + later
        told = len(self.pair[0].trace)
        self.both(lambda upper: upper.tick(self.now))
        told = len(self.pair[0].trace) - told
        if deadline is None or self.now < deadline:
            assert (upper.state, told) == (before, 0)
        else:
            assert upper.deadline is None or upper.deadline > self.now
            assert before == states.OPEN or (upper.state != before and told)

    @rule(held=st.booleans())
    def we_hold(self, held: bool) -> None:
        """`hold` changes; what was held is given again."""
        for caller in self.pair:
            caller.upper.hold = held
            caller.feed(b"", self.now)

    @rule(paused=st.booleans())
    def we_pause(self, paused: bool) -> None:
        """Our side stops reading, or goes on."""
        self.paused = paused
        self.both(lambda upper: upper.paused(self.now) if paused else upper.resumed(self.now))

    @precondition(lambda self: self.pair[0].upper.state not in (states.IDLE, states.DIALLING))
    @rule()
    def it_closes(self) -> None:
        """The transport is gone."""
        self.both(lambda upper: upper.closed(self.now))
        assert self.pair[0].upper.state == states.IDLE

    @invariant()
    def the_same_and_bounded(self) -> None:
        """However the bytes were cut, both have seen the same; what is kept has a bound."""
        whole, pieces = self.pair
        assert whole.seen() == pieces.seen()
        assert whole.upper.deadline == pieces.upper.deadline
        bounded(whole)
        if whole.upper.state == states.IDLE and whole.trace:
            assert isinstance(whole.trace[-1], events.Closed)

    @invariant()
    def a_deadline_stands_where_the_table_waits(self) -> None:
        """Exactly so long after the state was entered, whatever bytes have come since; none where the next word is ours."""
        upper = self.pair[0].upper
        if upper.state != self.state:
            self.state, self.entered = upper.state, self.now
        if upper.state in DUE:
            assert upper.deadline == self.entered + DUE[upper.state]
        elif upper.state != states.OPEN or self.paused:
            assert upper.deadline is None
        elif upper.inside_message:
            assert upper.deadline is not None and upper.deadline <= self.now + TIMERS.stall
        elif upper.accepting:
            assert upper.deadline is not None and upper.deadline <= self.now + TIMERS.idle
        else:
            assert upper.deadline is None


def _reason(event: int) -> int:
    """The reason of an A-ABORT for a PDU that came where it cannot: unexpected, or not recognized (PS3.8 Table 9-26)."""
    return 1 if event == states.GOT_INVALID else 2


TestBothRoles = BothRoles.TestCase
TestBothRoles.settings = settings(stateful_step_count=30)
