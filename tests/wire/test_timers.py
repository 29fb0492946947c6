"""The deadlines of the upper layer (dicom.md §2): each fires at its time and not before, and bytes restart only what they may."""

from __future__ import annotations

import pytest

from gurney.wire.dicom import events, pdu
from gurney.wire.dicom.timers import Pace, Timers
from gurney.wire.dicom.upper import Upper
from tests.wire.tape import RQ, Caller, accepted, accepting, command, dialled, item, p_data, store

ABORTED = pdu.Abort(0, 0).encode()
MIDDLE = p_data(item(command(), 3)) + p_data(item(bytes(1000)))[:100]  # a message has begun


def late(caller: Caller, now: float) -> list[object]:
    """What a tick brings; nothing may come just before."""
    caller.upper.tick(now - 0.001)
    assert caller.upper.take() == []
    assert caller.upper.deadline is not None and abs(caller.upper.deadline - now) < 1e-9
    before = len(caller.trace)
    caller.upper.tick(now)
    caller.look(b"")
    return caller.trace[before:]


def gives_up(why: str) -> list[object]:
    """Our abort, as by a local request."""
    return [("send", ABORTED), events.Aborted(0, 0, False, why)]


def test_the_numbers() -> None:
    timers = Timers()
    assert (timers.artim, timers.connect, timers.associate, timers.release) == (10, 3, 5, 5)
    assert (timers.stall, timers.rate_window, timers.rate_floor, timers.idle) == (60, 60, 1024, 900)


def test_artim_is_not_restarted_by_bytes() -> None:
    caller = accepting()
    wire = RQ.encode()
    for second in range(1, 10):
        caller.feed(wire[second : second + 1] if second > 1 else wire[:2], float(second))
    assert late(caller, 10.0) == [events.Close(), events.Closed(False)]


def test_artim_runs_until_the_peer_closes() -> None:
    caller = accepted()
    caller.feed(pdu.RELEASE_RQ, 21.0)
    caller.feed(b"\x08\0\0\0\0\0" * 5, 25.0)  # complaints do not restart it
    assert late(caller, 31.0) == [events.Close(), events.Closed(True)]


def test_a_connection_that_does_not_come() -> None:
    caller = Caller(Upper(False, 5.0))
    assert late(caller, 8.0) == [events.Close(), events.Closed(False)]


def test_an_ac_that_does_not_come() -> None:
    caller = Caller(Upper(False, 0.0))
    caller.upper.request(RQ, 2.0)
    caller.look(b"")
    caller.feed(b"\x02\x00", 6.0)
    assert late(caller, 7.0) == gives_up("answer-timeout")
    assert late(caller, 17.0) == [events.Close(), events.Closed(False)]


def test_a_release_that_is_not_answered() -> None:
    caller = dialled()
    caller.upper.release(100.0)
    caller.look(b"")
    caller.feed(MIDDLE, 104.0)
    assert late(caller, 105.0) == gives_up("release-timeout")


def test_a_request_without_now_counts_from_the_next_tick() -> None:
    caller = dialled()  # everything at 0
    caller.upper.release()
    caller.look(b"")
    assert caller.upper.deadline == 0.0
    caller.upper.tick(500.0)
    assert late(caller, 505.0) == gives_up("release-timeout")


@pytest.mark.parametrize("collision", [9, 12])
def test_nothing_runs_while_the_answer_is_ours(collision: int) -> None:
    caller = dialled() if collision == 9 else accepted()
    caller._answering = False
    caller.upper.release(0.0)
    caller.feed(pdu.RELEASE_RQ, 1.0)
    if collision == 12:
        assert caller.upper.state == 10 and caller.upper.deadline == 6.0
        caller.feed(pdu.RELEASE_RP, 2.0)
    assert (caller.upper.state, caller.upper.deadline) == (collision, None)
    waiting = accepting(answering=False)
    waiting.feed(RQ.encode(), 1.0)
    assert (waiting.upper.state, waiting.upper.deadline) == (3, None)


@pytest.mark.parametrize("side", [accepted, dialled])
def test_no_byte_inside_a_message(side: type[Caller]) -> None:
    caller = side()
    caller.feed(MIDDLE, 10.0)
    assert caller.upper.inside_message
    assert late(caller, 70.0) == gives_up("stalled")


def test_a_cut_header_counts_as_inside() -> None:
    caller = dialled()
    caller.feed(b"\x04\x00\x00", 10.0)
    assert caller.upper.inside_message
    assert late(caller, 70.0) == gives_up("stalled")


def test_one_byte_a_second() -> None:
    caller = accepted()
    caller.feed(MIDDLE, 0.0)
    for second in range(1, 60):
        caller.feed(b"\0", float(second))
    assert late(caller, 60.0) == gives_up("too-slow")


def test_one_kib_a_second_is_enough() -> None:
    caller = accepted()
    caller.feed(p_data(item(command(), 3)), 0.0)
    piece = p_data(item(bytes(1024 - 12)))
    for second in range(1, 181):
        caller.feed(piece, second - 0.5)
        caller.upper.tick(float(second))
        caller.look(b"")
    assert caller.upper.state == 6
    assert late(caller, 179.5 + 60) != []


def test_a_sender_that_says_nothing() -> None:
    caller = accepted()
    caller.feed(store(bytes(10)), 100.0)
    assert not caller.upper.inside_message
    assert late(caller, 1000.0) == gives_up("idle")


def test_an_idle_member_is_the_callers_business() -> None:
    caller = dialled()
    assert caller.upper.deadline is None
    caller.upper.tick(1e6)
    assert caller.upper.take() == []


def test_a_sender_is_not_idle_while_we_owe_an_answer() -> None:
    caller = accepted()
    caller.feed(store(bytes(10)), 0.0)
    caller.upper.hold = True
    caller.upper.tick(900.0)
    assert caller.upper.take() == []
    caller.upper.hold = False
    assert late(caller, 1800.0) == gives_up("idle")


def test_a_held_pdu_is_not_a_cut_header() -> None:
    caller = accepted()
    caller.upper.hold = True
    caller.feed(store(bytes(10))[:8], 10.0)
    assert not caller.upper.inside_message
    caller.upper.tick(500.0)
    assert caller.upper.take() == []


def test_nothing_stalls_while_we_do_not_read() -> None:
    caller = accepted()
    caller.feed(MIDDLE, 0.0)
    caller.upper.paused(10.0)
    assert caller.upper.deadline is None
    caller.upper.tick(5000.0)
    assert caller.upper.take() == []
    caller.upper.resumed(6000.0)
    assert late(caller, 6060.0) == gives_up("stalled")


def test_bytes_given_again_are_not_new() -> None:
    caller = accepted()
    caller.feed(MIDDLE[:3], 0.0)
    kept = bytes(caller._kept)
    assert caller.upper.receive(kept, 0, len(kept), 50.0) == 0
    assert late(caller, 60.0) == gives_up("stalled")


def test_the_windows_of_the_pace() -> None:
    pace = Pace(Timers(), 0.0)
    pace.hear(1024 * 60, False, 0.0)
    pace.hear(1, True, 50.0)
    assert pace.late(True, True, 60.0) is None  # the first window was full
    assert pace.deadline(True, True) == 110.0
    assert pace.late(True, True, 110.0) == "stalled"
    pace.hear(1, True, 119.0)
    assert pace.late(True, True, 120.0) == "too-slow"
