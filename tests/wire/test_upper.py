"""The upper layer core: associations from begin to end in both roles, `hold`, releases, collisions, and what our own code may not ask."""

from __future__ import annotations

import pytest

from gurney.errors import LocalError
from gurney.wire.dicom import events, pdu
from gurney.wire.dicom.upper import Upper
from tests.wire.tape import AC, IMPLICIT, RQ, Caller, accepted, accepting, command, dialled, item, p_data, store

CLEAN = [events.Close(), events.Closed(True)]


def test_an_association_from_begin_to_end() -> None:
    sender, receiver = Caller(Upper(False, 0.0)), accepting()
    sender.upper.request(RQ)
    exchange(sender, receiver)
    assert receiver.rq is not None and receiver.rq.ae_bytes == RQ.encode()[10:74]
    assert (sender.upper.state, receiver.upper.state) == (6, 6)
    assert sender.trace[-1] == events.Accepted(AC)
    sender.upper.check_sending()
    receiver.feed(store(bytes(1000)))
    assert receiver.messages[0].whole and bytes(receiver.messages[0].payload) == bytes(1000)
    sender.upper.release()
    exchange(sender, receiver)
    assert sender.trace[-3:] == [events.Released(), *CLEAN]
    receiver.upper.closed(1.0)
    receiver.look(b"")
    assert receiver.trace[-1] == events.Closed(True)


def exchange(one: Caller, other: Caller) -> None:
    """Carry what each has to say to the other until both are silent."""
    while True:
        one.look(b"")
        other.look(b"")
        outward, inward = bytes(one.sent), bytes(other.sent)
        one.sent.clear()
        other.sent.clear()
        if not outward and not inward:
            return
        other.feed(outward)
        one.feed(inward)


def test_what_the_peer_may_be_sent() -> None:
    caller = accepting()
    assert caller.upper.peer_maximum == 16384
    caller.feed(pdu.AssociateRQ(contexts=RQ.contexts, max_length=28672).encode())
    assert caller.upper.peer_maximum == 28672
    unlimited = Caller(Upper(False, 0.0))
    unlimited.upper.request(RQ)
    unlimited.feed(pdu.AssociateAC(max_length=0).encode())
    assert unlimited.upper.peer_maximum == 0


@pytest.mark.parametrize(("advertised", "size", "state"), [(16384, 16384, 6), (16384, 16385, 13), (0, 131072, 6), (0, 131073, 13)])
def test_what_we_advertise_is_what_we_enforce(advertised: int, size: int, state: int) -> None:
    caller = accepting(accept=pdu.AssociateAC(contexts=AC.contexts, max_length=advertised))
    caller.feed(RQ.encode() + p_data(item(command(), 3)) + p_data(item(bytes(size - 6))))
    assert caller.upper.state == state
    ours = Caller(Upper(False, 0.0))
    ours.upper.request(pdu.AssociateRQ(contexts=RQ.contexts, max_length=advertised))
    ours.feed(AC.encode() + p_data(item(command(), 3)) + p_data(item(bytes(size - 6))))
    assert ours.upper.state == state


def test_a_rejection_is_told_with_its_three_numbers() -> None:
    caller = Caller(Upper(False, 0.0))
    caller.upper.request(RQ)
    caller.feed(pdu.AssociateRJ(2, 3, 2).encode())
    assert caller.trace[-3:] == [events.Rejected(2, 3, 2), *CLEAN]


def test_we_reject() -> None:
    caller = accepting(answering=False)
    caller.feed(RQ.encode())
    caller.upper.reject(1, 1, 7)
    caller.look(b"")
    assert bytes(caller.sent) == pdu.AssociateRJ(1, 1, 7).encode()
    caller.upper.closed(0.5)
    caller.look(b"")
    assert caller.trace[-1] == events.Closed(True)


def test_the_core_rejects_what_nobody_can_serve() -> None:
    caller = accepting()
    caller.feed(pdu.AssociateRQ(application_context="1.2.3", contexts=RQ.contexts).encode())
    assert caller.trace[-1] == events.Rejected(1, 1, 2)
    assert caller.rq is None


@pytest.mark.parametrize("side", [accepted, dialled])
def test_the_peer_aborts(side: type[Caller]) -> None:
    caller = side()
    caller.feed(store(bytes(100))[:-20] + b"")
    caller = side()
    caller.feed(pdu.Abort(2, 1).encode())
    assert caller.trace[-3:] == [events.Aborted(2, 1, True), events.Close(), events.Closed(False)]


@pytest.mark.parametrize("side", [accepted, dialled])
def test_a_bare_close(side: type[Caller]) -> None:
    caller = side()
    caller.upper.closed(1.0)
    caller.upper.closed(2.0)
    caller.look(b"")
    assert caller.trace[-1] == events.Closed(False)
    caller.feed(b"anything afterwards")
    assert caller.trace[-1] == events.Closed(False)


def test_a_close_instead_of_a_release_rp_is_tolerated() -> None:
    caller = dialled()
    caller.upper.release()
    caller.upper.closed(1.0)
    caller.look(b"")
    assert caller.trace[-2:] == [events.Released(), events.Closed(True)]
    assert caller.notes == {"closed-without-release-rp"}


def test_answers_still_owed_go_out_before_the_release_is_answered() -> None:
    caller = accepted(answering=True)
    caller._answering = False
    caller.feed(store(bytes(10)) + pdu.RELEASE_RQ)
    assert caller.upper.state == 8
    caller.upper.check_sending()
    caller.upper.answer_release()
    with pytest.raises(LocalError):
        caller.upper.check_sending()


def test_data_are_taken_while_we_wait_for_the_release() -> None:
    caller = dialled()
    caller.upper.release()
    caller.feed(store(bytes(70)))
    assert caller.messages[0].whole
    caller.feed(pdu.RELEASE_RP)
    assert caller.trace[-3:] == [events.Released(), *CLEAN]


def test_the_release_collision() -> None:
    one, other = dialled(), accepted()
    one.sent.clear()
    other.sent.clear()
    one.upper.release()
    other.upper.release()
    exchange(one, other)  # the one who dialled answers first: Sta9, 11, 1; the other Sta10, 12, 13
    assert (one.upper.state, other.upper.state) == (1, 13)
    assert one.trace[-3:] == [events.Released(), *CLEAN]
    assert other.trace[-3:] == [events.Released(), events.ReleaseRequested(), ("send", pdu.RELEASE_RP)]


def test_release_in_the_middle_of_a_message() -> None:
    caller = accepted()
    caller.feed(p_data(item(command(), 3)) + pdu.RELEASE_RQ)
    assert [message.whole for message in caller.messages] == [False]
    assert "release-inside-message" in caller.notes
    assert caller.upper.state == 13


def test_hold_keeps_the_next_message_out_and_nothing_else() -> None:
    first, second = store(b"first"), store(b"second")
    caller = accepted()
    caller.upper.hold = True
    caller.feed(first + second)
    assert caller.messages == []
    caller.upper.hold = False
    stream = bytes(caller._kept)
    assert stream == first + second
    stop = caller.upper.receive(stream, 0, len(stream), 0.0)
    assert stop == len(first)  # receive returns right after a message
    caller.look(stream)
    caller.upper.hold = True
    assert caller.upper.receive(stream, stop, len(stream), 0.0) == stop
    assert caller.upper.take() == []
    caller.upper.hold = False
    assert caller.upper.receive(stream, stop, len(stream), 0.0) == len(stream)


@pytest.mark.parametrize(("data", "state"), [(pdu.RELEASE_RQ, 8), (pdu.Abort(0, 0).encode(), 1), (pdu.RELEASE_RP, 13)])
def test_hold_does_not_keep_the_end_of_the_association_out(data: bytes, state: int) -> None:
    caller = accepted()
    caller._answering = False
    caller.upper.hold = True
    caller.feed(data)
    assert caller.upper.state == state


def test_hold_lets_a_message_that_has_begun_go_on() -> None:
    caller = accepted()
    message = store(bytes(500))
    caller.feed(message[:100])
    caller.upper.hold = True
    caller.feed(message[100:] + message)
    assert [m.whole for m in caller.messages] == [True]
    assert bytes(caller._kept) == message


def test_a_message_on_every_accepted_context_and_on_no_other() -> None:
    caller = dialled()
    caller.feed(store(b"a", context=1) + store(b"b", context=3))
    assert [message.context_id for message in caller.messages] == [1, 3]
    caller.feed(store(b"c", context=5))
    assert caller.trace[-1] == events.Aborted(2, 6, False, "context-not-accepted")


def test_an_ac_for_contexts_nobody_asked_for() -> None:
    caller = Caller(Upper(False, 0.0))
    caller.upper.request(RQ)
    caller.feed(pdu.AssociateAC(contexts=(*AC.contexts, pdu.ContextAC(77, 0, IMPLICIT))).encode())
    assert caller.trace[-1].ac.contexts == AC.contexts  # type: ignore[attr-defined]
    assert caller.notes >= {"context-not-asked"}
    caller.feed(store(b"x", context=77))
    assert caller.upper.state == 13


def test_each_note_comes_once() -> None:
    caller = accepted()
    caller.upper.take()
    words = []
    for _ in range(3):
        stream = p_data(item(command(0x101), 0xFF))
        caller.upper.receive(stream, 0, len(stream), 0.0)
        words += [event.word for event in caller.upper.take() if isinstance(event, events.Note)]
    assert words == ["control-header-bits"]


def test_our_own_mistakes_raise_and_change_nothing() -> None:
    caller = accepting(answering=False)
    caller.feed(RQ.encode())
    for contexts in ((pdu.ContextAC(99, 0, IMPLICIT),), (AC.contexts[0], AC.contexts[0])):
        with pytest.raises(LocalError):
            caller.upper.accept(pdu.AssociateAC(contexts=contexts))
    for broken in (
        pdu.AssociateAC(max_length=2**32),
        pdu.AssociateAC(implementation_version="\u4e00"),
        pdu.AssociateAC(implementation_class="1" * 70000),
    ):
        with pytest.raises(LocalError):
            caller.upper.accept(broken)
    with pytest.raises(LocalError):
        caller.upper.reject(256, 1, 1)
    caller.look(b"")
    assert (caller.upper.state, bytes(caller.sent)) == (3, b"")


def test_where_abort_is_allowed() -> None:
    assert not accepting().upper.abortable
    assert accepted().upper.abortable and dialled().upper.abortable
    caller = Caller(Upper(False, 0.0))
    caller.upper.abort()
    caller.look(b"")
    assert (caller.trace, bytes(caller.sent)) == ([events.Close(), events.Closed(False)], b"")
