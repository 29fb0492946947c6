"""The one place for what the upper layer core tells its owner: the events `Upper.take` returns, in order."""

from __future__ import annotations

from dataclasses import dataclass

from gurney.wire.dicom.command import Command, CommandFault
from gurney.wire.dicom.pdu import AssociateAC, AssociateRQ


@dataclass(slots=True)
class Send:
    """Bytes to send to the peer, in this order among themselves and after all data sent before."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the transport connection now. `Closed` follows at once; nothing else comes."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A peer asks for an association: answer with `accept`, `reject` or `abort`."""

    rq: AssociateRQ


@dataclass(frozen=True, slots=True)
class Accepted:
    """The peer accepted our request. Contexts we had not asked for are left out of `ac`."""

    ac: AssociateAC


@dataclass(frozen=True, slots=True)
class Rejected:
    """No association. Dialling: the peer's three numbers. Accepting: the core itself has answered with these (`pdu.fault`)."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer asks to release: send the answers owed, then `answer_release`."""


@dataclass(frozen=True, slots=True)
class Released:
    """Our request to release was confirmed, by an A-RELEASE-RP or (noted) by the peer's close."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association was aborted by the peer, or by this core because of the peer or a deadline (never told of our own `abort`).

    `why` is a word: "peer", or what the peer did wrong ("pdu-over-limit" …), or the deadline that passed ("stalled" …).
    """

    source: int
    reason: int
    by_peer: bool
    why: str = "peer"


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event, once: the core has come to rest in Sta1. `clean`: the association was released or rejected."""

    clean: bool


@dataclass(slots=True)
class CommandSet:
    """A whole command set, joined, at most 16 KiB. `data_set`: a data set follows ((0000,0800) is not 0101H, PS3.7 §E.1).

    `said` is what it says, or why that cannot be used. Not frozen, for the hot path's sake.
    """

    context_id: int
    data: bytes
    data_set: bool
    said: Command | CommandFault


@dataclass(slots=True)
class Data:
    """A run of a data set's wire bytes `buf[start:end)` of the `receive` call it comes from, PDU and PDV headers included.

    `context_ids`: the offsets in buf of every context id byte of the run. `lead` > 0: the run begins inside a PDU whose 6 header
    bytes went with the command; write a header for `lead` bytes before it (`pdv.header`). `last`: the data set ends with this run.
    Valid until the caller touches buf. Not frozen, for the hot path's sake.
    """

    start: int
    end: int
    context_ids: list[range]
    lead: int
    last: bool


@dataclass(frozen=True, slots=True)
class Note:
    """Something tolerated, by its word; once a word and association, so that no peer can make many."""

    word: str


Event = Send | Close | Requested | Accepted | Rejected | ReleaseRequested | Released | Aborted | Closed | CommandSet | Data | Note
