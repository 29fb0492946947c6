"""PS3.8 Table 9-10: the table against two other transcriptions, and the core against the table in every cell."""

from __future__ import annotations

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from gurney.errors import LocalError
from gurney.wire.dicom import pdu, states
from gurney.wire.dicom.upper import Upper
from tests.wire.tape import AC, RQ, Caller, accepted, accepting, dialled, item, p_data

# Written down from the standard a second time, by state: column by column, the event's number before each action.
BY_STATE = """
Sta1  | 1 AE-1, 5 AE-5
Sta2  | 3 AA-1, 4 AA-1, 6 AE-6, 10 AA-1, 12 AA-1, 13 AA-1, 16 AA-2, 17 AA-5, 18 AA-2, 19 AA-1
Sta3  | 3 AA-8, 4 AA-8, 6 AA-8, 7 AE-7, 8 AE-8, 10 AA-8, 12 AA-8, 13 AA-8, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta4  | 2 AE-2, 15 AA-2, 17 AA-4
Sta5  | 3 AE-3, 4 AE-4, 6 AA-8, 10 AA-8, 12 AA-8, 13 AA-8, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta6  | 3 AA-8, 4 AA-8, 6 AA-8, 9 DT-1, 10 DT-2, 11 AR-1, 12 AR-2, 13 AA-8, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta7  | 3 AA-8, 4 AA-8, 6 AA-8, 10 AR-6, 12 AR-8, 13 AR-3, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta8  | 3 AA-8, 4 AA-8, 6 AA-8, 9 AR-7, 10 AA-8, 12 AA-8, 13 AA-8, 14 AR-4, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta9  | 3 AA-8, 4 AA-8, 6 AA-8, 10 AA-8, 12 AA-8, 13 AA-8, 14 AR-9, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta10 | 3 AA-8, 4 AA-8, 6 AA-8, 10 AA-8, 12 AA-8, 13 AR-10, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta11 | 3 AA-8, 4 AA-8, 6 AA-8, 10 AA-8, 12 AA-8, 13 AR-3, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta12 | 3 AA-8, 4 AA-8, 6 AA-8, 10 AA-8, 12 AA-8, 13 AA-8, 14 AR-4, 15 AA-1, 16 AA-3, 17 AA-4, 19 AA-8
Sta13 | 3 AA-6, 4 AA-6, 6 AA-7, 10 AA-6, 12 AA-6, 13 AA-6, 16 AA-2, 17 AR-5, 18 AA-2, 19 AA-7
"""

# what a peer sends to cause each event
WIRE = {
    states.GOT_AC: AC.encode(),
    states.GOT_RJ: pdu.AssociateRJ(1, 1, 3).encode(),
    states.GOT_RQ: RQ.encode(),
    states.GOT_DATA: p_data(item(b"", 1)),
    states.GOT_RELEASE_RQ: pdu.RELEASE_RQ,
    states.GOT_RELEASE_RP: pdu.RELEASE_RP,
    states.GOT_ABORT: pdu.Abort(2, 6).encode(),
    states.GOT_INVALID: b"\x08\x00\x00\x00\x00\x00",
}
NO_METHOD = {states.CONNECT, states.CONNECTION_IN}  # the constructor


def transcribed() -> dict[tuple[int, int], str]:
    """BY_STATE as cells."""
    cells = {}
    for line in BY_STATE.strip().splitlines():
        state, row = line.split("|")
        for cell in row.split(","):
            event, action = cell.split()
            cells[int(event), int(state.strip().removeprefix("Sta"))] = action
    return cells


def test_the_table_is_the_standards() -> None:
    assert len(states.TABLE) == 123
    assert dict(states.TABLE) == transcribed()
    theirs = {(int(event[3:]), int(state[3:])): action.replace("_", "-") for (event, state), action in TRANSITION_TABLE.items()}
    assert dict(states.TABLE) == theirs


def test_every_action_leads_somewhere() -> None:
    assert set(states.TABLE.values()) == set(states.NEXT)
    assert all(set(following) <= set(states.STATES) for following in states.NEXT.values())


def at(state: int) -> Caller:
    """A core that real events brought into a state, answering nothing by itself."""
    if state in (2, 3):
        caller = accepting(answering=False)
        if state == 3:
            caller.feed(RQ.encode())
    elif state in (4, 5):
        caller = Caller(Upper(False, 0.0))
        if state == 5:
            caller.upper.request(RQ)
    else:
        caller = (accepted if state in (8, 10, 12, 13) else dialled)()
        caller._answering = False
        _further(caller, state)
    caller.look(b"")
    assert caller.upper.state == state
    return caller


def _further(caller: Caller, state: int) -> None:
    if state in (8, 13):
        caller.feed(pdu.RELEASE_RQ)
    elif state != 6 and state != 1:
        caller.upper.release()
    if state in (9, 10, 11, 12):
        caller.feed(pdu.RELEASE_RQ)
    if state in (11, 13):
        caller.upper.answer_release()
    if state == 12:
        caller.feed(pdu.RELEASE_RP)
    if state == 1:
        caller.upper.closed(0.0)


def cause(caller: Caller, event: int) -> None:
    """Let an event happen."""
    upper = caller.upper
    match event:
        case states.CONNECTED:
            upper.request(RQ)
        case states.ACCEPT:
            upper.accept(AC)
        case states.REJECT:
            upper.reject(1, 1, 1)
        case states.SEND_DATA:
            upper.check_sending()
        case states.RELEASE:
            upper.release()
        case states.ANSWER_RELEASE:
            upper.answer_release()
        case states.ABORT:
            upper.abort()
        case states.CLOSED:
            upper.closed(1.0)
        case states.ARTIM:
            upper.tick(10.0)  # arms what a request without `now` began
            upper.tick(20.0)
        case _:
            caller.feed(WIRE[event])
    caller.look(b"")


@pytest.mark.parametrize("state", states.STATES)
@pytest.mark.parametrize("event", sorted(set(states.EVENTS) - NO_METHOD))
def test_every_cell(event: int, state: int) -> None:
    caller = at(state)
    before = len(caller.trace)
    action = states.TABLE.get((event, state))
    if action is None:
        if event in states.LOCAL:
            with pytest.raises(LocalError):
                cause(caller, event)
            caller.look(b"")
            assert (caller.upper.state, caller.trace[before:]) == (state, [])
        elif event != states.ARTIM:  # the clock knows other deadlines in other states: test_upper_deadlines.py
            cause(caller, event)
            assert (caller.upper.state, caller.trace[before:]) == (state, [])
        return
    cause(caller, event)
    assert caller.upper.state in states.NEXT[action]
    answered(caller, action, event, caller.trace[before:])


def answered(caller: Caller, action: str, event: int, trace: list[object]) -> None:
    """What an action must show: bytes, or a close, or a note."""
    kinds = [entry[0] if isinstance(entry, tuple) else type(entry).__name__ for entry in trace]
    sent = b"".join(entry[1] for entry in trace if isinstance(entry, tuple) and entry[0] == "send")
    reason = 1 if event == states.GOT_INVALID else 2
    expected: dict[str, tuple[list[str], bytes | None]] = {
        "AE-2": (["send"], RQ.encode()),
        "AE-3": (["Accepted"], b""),
        "AE-4": (["Rejected", "Close", "Closed"], b""),
        "AE-6": (["Requested"], b""),
        "AE-7": (["send"], AC.encode()),
        "AE-8": (["send"], pdu.AssociateRJ(1, 1, 1).encode()),
        "AR-1": (["send"], pdu.RELEASE_RQ),
        "AR-2": (["ReleaseRequested"], b""),
        "AR-3": (["Released", "Close", "Closed"], b""),
        "AR-4": (["send"], pdu.RELEASE_RP),
        "AR-5": (["Closed"], b""),
        "AR-8": (["ReleaseRequested"] * (not caller.upper.accepting), b""),  # the accepting side is told when it may answer
        "AR-9": (["send"], pdu.RELEASE_RP),
        "AR-10": (["Released", "ReleaseRequested"], b""),
        "AA-1": (["send"] + ["Aborted"] * (event != states.ABORT), pdu.Abort(0, 0).encode()),
        "AA-3": (["Aborted", "Close", "Closed"], b""),
        "AA-5": (["Closed"], b""),
        "AA-7": (["send"], pdu.Abort(2, reason).encode()),
        "AA-8": (["send", "Aborted"], pdu.Abort(2, reason).encode()),
    }
    match action:
        case "DT-1" | "AR-7" | "DT-2" | "AR-6":  # data pass beside the table
            assert kinds == []
        case "AA-2":
            assert kinds in (["Close", "Closed"], ["Aborted", "Close", "Closed"])
        case "AA-4":  # a bare close instead of an RP counts as one, noted
            assert kinds[-1] == "Closed"
            assert ("closed-without-release-rp" in caller.notes) == ("Released" in kinds)
        case "AA-6":
            assert kinds == [] and caller.notes >= {"pdu-after-the-end"}
        case _:
            assert (kinds, sent) == expected[action]
