"""The one place for PS3.8 Table 9-10: 13 states by 19 events, as data; and the next states of Tables 9-6 to 9-9.

An empty cell is an event that cannot happen in that state: what only our own code can cause there is a `LocalError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

IDLE, WAIT_RQ, ANSWER_DUE, DIALLING, WAIT_AC, OPEN, WE_RELEASE, PEER_RELEASES = 1, 2, 3, 4, 5, 6, 7, 8
COLLISION_ANSWER_DIALLED, COLLISION_WAIT_ACCEPTED, COLLISION_WAIT_DIALLED, COLLISION_ANSWER_ACCEPTED, WAIT_CLOSE = 9, 10, 11, 12, 13

STATES = tuple(range(1, 14))

# events by their number in PS3.8 Table 9-10
CONNECT, CONNECTED, GOT_AC, GOT_RJ, CONNECTION_IN, GOT_RQ, ACCEPT, REJECT, SEND_DATA, GOT_DATA = range(1, 11)
RELEASE, GOT_RELEASE_RQ, GOT_RELEASE_RP, ANSWER_RELEASE, ABORT, GOT_ABORT, CLOSED, ARTIM, GOT_INVALID = range(11, 20)

EVENTS = tuple(range(1, 20))

# what only our own code can cause; all else comes from the peer, the transport or the clock
LOCAL = frozenset({CONNECT, CONNECTED, CONNECTION_IN, ACCEPT, REJECT, SEND_DATA, RELEASE, ANSWER_RELEASE, ABORT})

# one row an event: the action in each state where the cell is filled
_ROWS: Mapping[int, Mapping[int, str]] = {
    CONNECT: {1: "AE-1"},
    CONNECTED: {4: "AE-2"},
    GOT_AC: {2: "AA-1", 3: "AA-8", 5: "AE-3", **dict.fromkeys(range(6, 13), "AA-8"), 13: "AA-6"},
    GOT_RJ: {2: "AA-1", 3: "AA-8", 5: "AE-4", **dict.fromkeys(range(6, 13), "AA-8"), 13: "AA-6"},
    CONNECTION_IN: {1: "AE-5"},
    GOT_RQ: {2: "AE-6", 3: "AA-8", **dict.fromkeys(range(5, 13), "AA-8"), 13: "AA-7"},
    ACCEPT: {3: "AE-7"},
    REJECT: {3: "AE-8"},
    SEND_DATA: {6: "DT-1", 8: "AR-7"},
    GOT_DATA: {2: "AA-1", 3: "AA-8", 5: "AA-8", 6: "DT-2", 7: "AR-6", **dict.fromkeys(range(8, 13), "AA-8"), 13: "AA-6"},
    RELEASE: {6: "AR-1"},
    GOT_RELEASE_RQ: {2: "AA-1", 3: "AA-8", 5: "AA-8", 6: "AR-2", 7: "AR-8", **dict.fromkeys(range(8, 13), "AA-8"), 13: "AA-6"},
    GOT_RELEASE_RP: {
        2: "AA-1",
        3: "AA-8",
        5: "AA-8",
        6: "AA-8",
        7: "AR-3",
        8: "AA-8",
        9: "AA-8",
        10: "AR-10",
        11: "AR-3",
        12: "AA-8",
        13: "AA-6",
    },
    ANSWER_RELEASE: {8: "AR-4", 9: "AR-9", 12: "AR-4"},
    ABORT: {3: "AA-1", 4: "AA-2", **dict.fromkeys(range(5, 13), "AA-1")},
    GOT_ABORT: {2: "AA-2", 3: "AA-3", **dict.fromkeys(range(5, 13), "AA-3"), 13: "AA-2"},
    CLOSED: {2: "AA-5", **dict.fromkeys(range(3, 13), "AA-4"), 13: "AR-5"},
    ARTIM: {2: "AA-2", 13: "AA-2"},
    GOT_INVALID: {2: "AA-1", 3: "AA-8", **dict.fromkeys(range(5, 13), "AA-8"), 13: "AA-7"},
}

TABLE: Mapping[tuple[int, int], str] = MappingProxyType(
    {(event, state): action for event, row in _ROWS.items() for state, action in row.items()}
)

# the state after each action; two where the standard names two: AE-6 acceptable or not, AR-8 dialled or accepted
NEXT: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "AE-1": (4,),
        "AE-2": (5,),
        "AE-3": (6,),
        "AE-4": (1,),
        "AE-5": (2,),
        "AE-6": (3, 13),
        "AE-7": (6,),
        "AE-8": (13,),
        "DT-1": (6,),
        "DT-2": (6,),
        "AR-1": (7,),
        "AR-2": (8,),
        "AR-3": (1,),
        "AR-4": (13,),
        "AR-5": (1,),
        "AR-6": (7,),
        "AR-7": (8,),
        "AR-8": (9, 10),
        "AR-9": (11,),
        "AR-10": (12,),
        "AA-1": (13,),
        "AA-2": (1,),
        "AA-3": (1,),
        "AA-4": (1,),
        "AA-5": (1,),
        "AA-6": (13,),
        "AA-7": (13,),
        "AA-8": (13,),
    }
)

TAKES_DATA = frozenset(state for (event, state), action in TABLE.items() if event == GOT_DATA and action in ("DT-2", "AR-6"))
