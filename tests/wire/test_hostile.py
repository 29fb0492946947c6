"""The upper layer against chance: seeded mutations of real and synthetic streams, and a state machine over both roles."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gurney.errors import LocalError
from gurney.wire.dicom import events, pdu, pdv, states
from gurney.wire.dicom.upper import Upper
from tests.wire.malformed.upper_layer import CASES
from tests.wire.tape import CAPTURES, RQ, Caller, accepting, command, item, p_data, store
from tests.wire.test_states import WIRE

INPUTS = {"quick": 3_000, "chaos": 500_000}.get(os.environ.get("GURNEY_COUNTS", ""), 50_000)
LENGTHS = (0, 1, 2, 3, 5, 6, 0x7F, 0xFF, 0x4000, 0xFFFF, 0x20001, 0x40001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFA, 0xFFFFFFFF)


def streams() -> list[bytes]:
    """What is mutated: recorded and synthetic exchanges of both sides, each from its first byte."""
    found = [path.read_bytes() for path in sorted(CAPTURES.glob("*.bin"))]
    small = [stream[:3000] for stream in found if stream[2:6] < b"\x00\x00\x08\x00"]
    rq = RQ.encode()
    mixed = p_data(item(command(), 1), item(b"", 3), item(b"abc", 0), item(b"defg", 2))
    small += [rq + store(bytes(range(100))) * 3 + pdu.RELEASE_RQ, rq + mixed + store(b"x" * 400, 200) + pdu.Abort(0, 0).encode()]
    return small + [rq + case.data[:600] for case in CASES if case.when == "open"]


def mutated(chance: random.Random, streams: list[bytes]) -> bytes:
    """A stream with one to four changes; most of them where the structure is."""
    data = bytearray(chance.choice(streams))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data)) if data else 0
        match chance.randrange(8):
            case 0:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                data[at : at + 4] = struct.pack(">I", chance.choice(LENGTHS))
            case 2:
                data[at : at + 2] = struct.pack(">H", chance.choice(LENGTHS) & 0xFFFF)
            case 3:
                del data[at : at + chance.randint(1, 40)]
            case 4:
                data[at:at] = data[at : at + chance.randint(1, 40)]
            case 5:
                other = chance.choice(streams)
                data[at:] = other[chance.randrange(len(other)) :]
            case 6:
                headers = [n for n in range(len(data) - 6) if data[n] == 4 and data[n + 1 : n + 3] == b"\0\0"]
                if headers:
                    data[chance.choice(headers) + 2 :][:4] = struct.pack(">I", chance.choice(LENGTHS))
            case 7:
                data[at:at] = chance.choice((pdu.RELEASE_RQ, pdu.RELEASE_RP, pdu.Abort(2, 0).encode(), RQ.encode(), p_data(item(b"", 3))))
    return bytes(data[:6000])


def run(chance: random.Random, data: bytes, dialling: bool) -> Caller:
    """One association of these bytes in random pieces; every promise is checked on the way."""
    if dialling:
        caller = Caller(Upper(False, 0.0))
        caller.upper.request(RQ, 0.0)
    else:
        caller = accepting()
    now, at = 0.0, 0
    while at < len(data):
        size = chance.choice((1, 7, 60, 700, 6000))
        caller.feed(data[at : at + size], now)
        at += size
        now += chance.random()
    bounded(caller)
    if chance.random() < 0.5:
        caller.upper.closed(now)
    for _ in range(4):
        if caller.upper.deadline is not None:
            caller.upper.tick(caller.upper.deadline)
        caller.look(b"")
    if caller.upper.state != states.IDLE:
        caller.upper.closed(now)
        caller.look(b"")
    assert caller.trace[-1] in (events.Closed(True), events.Closed(False))
    return caller


def bounded(caller: Caller) -> None:
    """What a core keeps, and what it says beyond the AC, has a bound whatever came."""
    upper = caller.upper
    assert len(upper._inbound._command) <= pdv.MAX_COMMAND
    assert upper._gathered is None or len(upper._gathered) <= pdu.MAX_ASSOCIATE + 6
    assert len(upper._noted) <= 30
    complaints = [entry for entry in caller.trace if isinstance(entry, tuple) and entry[0] == "send" and entry[1][0] == pdu.TYPE_ABORT]
    assert len(complaints) <= 2


@pytest.mark.parametrize("dialling", [False, True])
def test_mutated_streams(dialling: bool) -> None:
    chance = random.Random(f"upper layer {dialling}")
    sources = streams()
    if dialling:
        accepts = [stream for stream in sources if stream[0] == pdu.TYPE_AC]
        ac = pdu.AssociateAC(contexts=tuple(pdu.ContextAC(c.id, 0, c.transfers[0]) for c in RQ.contexts)).encode()
        sources = accepts + [ac + stream[len(RQ.encode()) :] for stream in sources if stream.startswith(RQ.encode())]
    ends: dict[str, int] = {}
    for _ in range(INPUTS // 2):
        caller = run(chance, mutated(chance, sources), dialling)
        aborted = [entry.why for entry in caller.trace if isinstance(entry, events.Aborted)]
        word = aborted[-1] if aborted else "other"
        ends[word] = ends.get(word, 0) + 1
    print(f"upper-layer-mutated inputs={sum(ends.values())} crashes=0 kinds_of_end={len(ends)}")
    expected = {
        "unexpected-pdu",
        "unknown-pdu",
        "pdu-over-limit",
        "pdv-past-its-pdu",
        "data-before-command",
        "context-not-accepted",
        "peer",
    }
    assert set(ends) >= expected


PEER_SAYS = [*WIRE.values(), store(b"data"), p_data(item(command(0x101), 3)), p_data(item(command(), 3)), p_data(item(b"more", 0))]
PEER_SAYS += [p_data(item(b"end", 2)), p_data(item(b"", 3, context=99)), struct.pack(">BxI", 4, 0xFFFFFFFF)]
PEER_SAYS += [case.data for case in CASES if len(case.data) < 400]
ASKS: dict[int, Callable[[Upper], None]] = {
    states.CONNECTED: lambda upper: upper.request(RQ),
    states.ACCEPT: lambda upper: upper.accept(pdu.AssociateAC()),
    states.REJECT: lambda upper: upper.reject(1, 1, 1),
    states.SEND_DATA: lambda upper: upper.check_sending(),
    states.RELEASE: lambda upper: upper.release(),
    states.ANSWER_RELEASE: lambda upper: upper.answer_release(),
    states.ABORT: lambda upper: upper.abort(),
}


class BothRoles(RuleBasedStateMachine):
    """Two cores hear and are asked the same; one hears it whole, the other in pieces."""

    @initialize(accepting=st.booleans(), opened=st.booleans())
    def begin(self, accepting: bool, opened: bool) -> None:
        """A connection, mostly with an association on it."""
        self.now = 0.0
        self.pair = [Caller(Upper(accepting, 0.0), answering=False) for _ in range(2)]
        if opened and accepting:
            self.peer_says(RQ.encode(), [])
            self.both(lambda upper: upper.accept(pdu.AssociateAC(contexts=(pdu.ContextAC(1, 0, "1.2"), pdu.ContextAC(3, 0, "1.2")))))
        elif opened:
            self.both(lambda upper: upper.request(RQ))
            self.peer_says(WIRE[states.GOT_AC], [])

    def both(self, ask: Callable[[Upper], None]) -> None:
        """Ask both."""
        for caller in self.pair:
            ask(caller.upper)
            caller.look(b"")

    @rule(data=st.sampled_from(PEER_SAYS), cuts=st.lists(st.integers(0, 400), max_size=5))
    def peer_says(self, data: bytes, cuts: list[int]) -> None:
        """Bytes of the peer: something is seen of them, or they are noted, or they belong to a message."""
        whole, pieces = self.pair
        before = (len(whole.trace), whole.seen()[2], bytes(whole._kept), whole.upper._discard, whole.upper._gathered)
        state = whole.upper.state
        self.now += 1.0
        whole.feed(data, self.now)
        pieces.feed_cut(data, sorted(cut for cut in cuts if cut < len(data)), self.now)
        after = (len(whole.trace), whole.seen()[2], bytes(whole._kept), whole.upper._discard, whole.upper._gathered)
        begun = whole.upper._inbound.phase != pdv.BETWEEN
        assert state == states.IDLE or before != after or begun or whole.notes

    @rule(event=st.sampled_from(sorted(ASKS)))
    def we_ask(self, event: int) -> None:
        """A request of ours: taken where the table has a cell, a LocalError elsewhere."""
        for caller in self.pair:
            state = caller.upper.state
            if (event, state) in states.TABLE:
                ASKS[event](caller.upper)
                assert caller.upper.state in states.NEXT[states.TABLE[event, state]]
            else:
                with pytest.raises(LocalError):
                    ASKS[event](caller.upper)
                assert caller.upper.state == state
            caller.look(b"")

    @rule(later=st.sampled_from((0.0, 1.0, 5.0, 60.0, 900.0)))
    def time_passes(self, later: float) -> None:
        """The clock goes on, by something or to the next deadline."""
        self.now = max(self.now + later, self.pair[0].upper.deadline or 0.0)
        self.both(lambda upper: upper.tick(self.now))

    @rule(held=st.booleans())
    def we_hold(self, held: bool) -> None:
        """`hold` changes; what was held is given again."""
        for caller in self.pair:
            caller.upper.hold = held
            caller.feed(b"", self.now)

    @rule(word=st.sampled_from(("paused", "resumed")))
    def we_pause(self, word: str) -> None:
        """Our side stops reading, or goes on."""
        self.both(lambda upper: getattr(upper, word)(self.now))

    @precondition(lambda self: self.pair[0].upper.state not in (states.IDLE, states.DIALLING))
    @rule()
    def it_closes(self) -> None:
        """The transport is gone."""
        self.both(lambda upper: upper.closed(self.now))
        assert self.pair[0].upper.state == states.IDLE

    @invariant()
    def the_same_and_bounded(self) -> None:
        """However the bytes were cut, both have seen the same."""
        whole, pieces = self.pair
        assert whole.seen() == pieces.seen()
        assert whole.upper.deadline == pieces.upper.deadline
        bounded(whole)
        if whole.upper.state == states.IDLE:
            assert isinstance(whole.trace[-1], events.Closed)


TestBothRoles = BothRoles.TestCase
TestBothRoles.settings = settings(stateful_step_count=30)
