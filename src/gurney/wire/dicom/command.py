"""The one place for DIMSE command sets: reading one, copying it under another Message ID, building answers (PS3.7 §6.3, §9.3, annex E).

A command set is Implicit VR Little Endian whatever its presentation context says, holds group 0000 only and is at most 16 KiB here.
`read` is total: it returns a `Command` or raises `CommandFault` with a reason of `FAULTS`; unknown elements, missing padding and another
order are kept and tolerated, as `Command.notes` tells. Patching changes the two bytes of the Message ID and nothing else, so that unknown
elements and (0000,0901–0903) survive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct
from typing import Final

from gurney.errors import LocalError

LARGEST: Final = 16 * 1024
"""Bytes of a command set at most (dicom.md §8)."""

C_STORE_RQ: Final = 0x0001
C_GET_RQ: Final = 0x0010
C_FIND_RQ: Final = 0x0020
C_MOVE_RQ: Final = 0x0021
C_ECHO_RQ: Final = 0x0030
N_EVENT_REPORT_RQ: Final = 0x0100
N_GET_RQ: Final = 0x0110
N_SET_RQ: Final = 0x0120
N_ACTION_RQ: Final = 0x0130
N_CREATE_RQ: Final = 0x0140
N_DELETE_RQ: Final = 0x0150
C_CANCEL_RQ: Final = 0x0FFF
RESPONSE: Final = 0x8000
"""Set in the Command Field of every answer (PS3.7 §E.1)."""

REQUESTS: Final = {
    C_STORE_RQ: "C-STORE",
    C_GET_RQ: "C-GET",
    C_FIND_RQ: "C-FIND",
    C_MOVE_RQ: "C-MOVE",
    C_ECHO_RQ: "C-ECHO",
    N_EVENT_REPORT_RQ: "N-EVENT-REPORT",
    N_GET_RQ: "N-GET",
    N_SET_RQ: "N-SET",
    N_ACTION_RQ: "N-ACTION",
    N_CREATE_RQ: "N-CREATE",
    N_DELETE_RQ: "N-DELETE",
    C_CANCEL_RQ: "C-CANCEL",
}
"""Command Field of a request → the name of its operation (PS3.7 §E.1)."""

NO_DATA_SET: Final = 0x0101
_NOTHING_FOLLOWS: Final = b"\x01\x01"  # the same, as it stands in the set
MEDIUM: Final = 0x0000  # (0000,0700) where it is absent

FAULTS: Final = frozenset(
    {
        "empty",  # no element at all
        "over-limit",  # more than LARGEST bytes
        "wrong-group",  # an element outside group 0000
        "past-end",  # an element or its header reaches past the end of the set
        "bad-length",  # a number of another size than its VR has
        "repeated",  # an element that is read here stands twice
        "group-length",  # (0000,0000) is not the length of what follows it
        "no-command-field",  # (0000,0100) is absent
        "no-message-id",  # (0000,0110) of a request is absent
        "no-responded-id",  # (0000,0120) of an answer or of a C-CANCEL is absent
        "no-data-set-type",  # (0000,0800) is absent
        "no-status",  # (0000,0900) of an answer is absent
        "no-sop-class",  # a request without (0000,0002) or (0000,0003), or an empty one
        "no-sop-instance",  # a C-STORE without (0000,1000), or an empty one
    }
)
"""Every reason of a `CommandFault`."""

_HEADER: Final = Struct("<HHI")
_US: Final = Struct("<H")
_UL: Final = Struct("<I")

_GROUP_LENGTH: Final = 0x0000
_AFFECTED_CLASS: Final = 0x0002
_REQUESTED_CLASS: Final = 0x0003
_FIELD: Final = 0x0100
_MESSAGE_ID: Final = 0x0110
_RESPONDED_ID: Final = 0x0120
_DESTINATION: Final = 0x0600
_PRIORITY: Final = 0x0700
_DATA_SET_TYPE: Final = 0x0800
_STATUS: Final = 0x0900
_COMMENT: Final = 0x0902
_AFFECTED_INSTANCE: Final = 0x1000
_REQUESTED_INSTANCE: Final = 0x1001
_ORIGINATOR: Final = 0x1030
_ORIGINATOR_ID: Final = 0x1031
_NUMBERS: Final = frozenset({_FIELD, _MESSAGE_ID, _RESPONDED_ID, _PRIORITY, _DATA_SET_TYPE, _STATUS, _ORIGINATOR_ID})
_TEXTS: Final = frozenset({_AFFECTED_CLASS, _REQUESTED_CLASS, _DESTINATION, _COMMENT, _AFFECTED_INSTANCE, _REQUESTED_INSTANCE, _ORIGINATOR})
_READ: Final = _NUMBERS | _TEXTS | {_GROUP_LENGTH}


# The two command sets that come for every object, in the form nearly everybody writes them: known in one match, lengths compared after
# it. Whatever differs in anything is read element by element, with the same outcome.
_STORE: Final = re.compile(
    rb"\0\0\0\0\x04\0\0\0(....)"
    rb"\0\0\x02\0(.)\0\0\0([0-9.]+\0?)"
    rb"\0\0\0\x01\x02\0\0\0\x01\0"
    rb"\0\0\x10\x01\x02\0\0\0(..)"
    rb"\0\0\0\x07\x02\0\0\0(..)"
    rb"\0\0\0\x08\x02\0\0\0(..)"
    rb"\0\0\0\x10(.)\0\0\0([0-9.]+\0?)",
    re.DOTALL,
)
_STORED: Final = re.compile(
    rb"\0\0\0\0\x04\0\0\0(....)"
    rb"\0\0\x02\0(.)\0\0\0([0-9.]+\0?)"
    rb"\0\0\0\x01\x02\0\0\0\x01\x80"
    rb"\0\0\x20\x01\x02\0\0\0(..)"
    rb"\0\0\0\x08\x02\0\0\0(..)"
    rb"\0\0\0\x09\x02\0\0\0(..)"
    rb"\0\0\0\x10(.)\0\0\0([0-9.]+\0?)",
    re.DOTALL,
)


class CommandFault(Exception):
    """A peer's command set cannot be used: A-ABORT source 2, reason 6 (dicom.md §2). `reason` is a word of `FAULTS`, without content."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.reason = reason
        self.offset = offset  # of the element at fault in the command set


@dataclass(slots=True)  # not frozen, for the hot path's sake
class Command:
    """One command set, never changed. Texts are Latin-1 of the bytes without trailing NUL and space.

    Absent texts are "", absent numbers None.
    """

    data: bytes  # the whole set as it came
    field: int  # (0000,0100)
    message_id: int | None  # (0000,0110), always a number in a request but C-CANCEL
    responded_id: int | None  # (0000,0120), always a number in an answer and in C-CANCEL
    id_at: int  # offset in `data` of the two bytes that `with_message_id` patches
    sop_class: str  # (0000,0002), else (0000,0003)
    sop_instance: str  # (0000,1000), else (0000,1001)
    priority: int  # (0000,0700): 0 medium, 1 high, 2 low
    data_set: bool  # a data set follows
    status: int | None  # (0000,0900), always a number in an answer
    comment: str  # (0000,0902)
    destination: str  # (0000,0600), of a C-MOVE
    originator: str  # (0000,1030) Move Originator AE title
    originator_id: int | None  # (0000,1031)
    notes: tuple[str, ...]  # what was tolerated: "no-group-length", "unordered", "odd-length"

    @property
    def is_response(self) -> bool:
        """Whether this answers a request."""
        return bool(self.field & RESPONSE)

    @property
    def name(self) -> str:
        """The operation, "C-STORE" …, of a request or of its answer; "unknown" for a Command Field PS3.7 §E.1 does not have."""
        return REQUESTS.get(self.field & ~RESPONSE, "unknown")

    def renumbered(self, number: int) -> bytes:
        """`data` under another Message ID: `with_message_id` without reading it again."""
        if not 0 <= number <= 0xFFFF:
            raise LocalError(f"{number} is no Message ID")
        at = self.id_at
        return b"%b%b%b" % (self.data[:at], _US.pack(number), self.data[at + 2 :])


def read(data: bytes) -> Command:
    """The command set in `data`; raises `CommandFault` when it is none that can be answered (PS3.7 §6.3.1, §E.2)."""
    return _usual(data) or _read(data)


def _usual(data: bytes) -> Command | None:
    """A C-STORE-RQ or C-STORE-RSP in its usual form; None for all else."""
    found = _STORE.fullmatch(data) or _STORED.fullmatch(data)
    if found is None or len(data) > LARGEST:
        return None
    group, class_size, sop_class, number, second, third, instance_size, sop_instance = found.groups()
    for size, value in ((class_size, sop_class), (instance_size, sop_instance)):
        if size[0] != len(value) or size[0] & 1:
            return None
    if _UL.unpack(group)[0] != len(data) - 12:
        return None
    message_id, last = _US.unpack(number)[0], _US.unpack(third)[0]
    request = found.re is _STORE
    texts = sop_class.rstrip(b"\0").decode("ascii"), sop_instance.rstrip(b"\0").decode("ascii")
    if request:
        priority = _US.unpack(second)[0]
        return Command(
            data, C_STORE_RQ, message_id, None, found.start(4), *texts, priority, third != _NOTHING_FOLLOWS, None, "", "", "", None, ()
        )
    field = C_STORE_RQ | RESPONSE
    return Command(data, field, None, message_id, found.start(4), *texts, MEDIUM, second != _NOTHING_FOLLOWS, last, "", "", "", None, ())


def _read(data: bytes) -> Command:
    found = _elements(data)
    number, text = found.numbers.get, found.texts.get
    field = number(_FIELD)
    if field is None:
        raise CommandFault("no-command-field", 0)
    is_response = bool(field & RESPONSE)
    id_element = _RESPONDED_ID if is_response or field == C_CANCEL_RQ else _MESSAGE_ID
    if id_element not in found.starts:
        raise CommandFault("no-message-id" if id_element == _MESSAGE_ID else "no-responded-id", 0)
    data_set_type = number(_DATA_SET_TYPE)
    if data_set_type is None:
        raise CommandFault("no-data-set-type", 0)
    status = number(_STATUS)
    if is_response and status is None:
        raise CommandFault("no-status", 0)
    sop_class = text(_AFFECTED_CLASS) or text(_REQUESTED_CLASS, "")
    sop_instance = text(_AFFECTED_INSTANCE) or text(_REQUESTED_INSTANCE, "")
    if not sop_class and field in REQUESTS and field != C_CANCEL_RQ:
        raise CommandFault("no-sop-class", 0)
    if not sop_instance and field == C_STORE_RQ:
        raise CommandFault("no-sop-instance", 0)
    return Command(
        data=data,
        field=field,
        message_id=number(_MESSAGE_ID),
        responded_id=number(_RESPONDED_ID),
        id_at=found.starts[id_element],
        sop_class=sop_class,
        sop_instance=sop_instance,
        priority=number(_PRIORITY, MEDIUM),
        data_set=data_set_type != NO_DATA_SET,
        status=status,
        comment=text(_COMMENT, ""),
        destination=text(_DESTINATION, ""),
        originator=text(_ORIGINATOR, ""),
        originator_id=number(_ORIGINATOR_ID),
        notes=tuple(sorted(found.notes)),
    )


def with_message_id(data: bytes, number: int) -> bytes:
    """A copy of a command set under another Message ID: (0000,0110) of a request, (0000,0120) of an answer or C-CANCEL; else byte-equal.

    Raises `CommandFault` when `data` is no command set with that element.
    """
    return read(data).renumbered(number)


def response_field(field: int) -> int:
    """The Command Field of the answer to a request (PS3.7 §E.1). An answer and C-CANCEL have none: `LocalError`."""
    if field & RESPONSE or field == C_CANCEL_RQ:
        raise LocalError(f"command field {field:04X} is never answered")
    return field | RESPONSE


def response(request: Command, status: int, comment: str | None = None) -> bytes:
    """The answer to any request, without a data set; `comment` goes into (0000,0902) as at most 64 printable ASCII characters.

    SOP class and instance are the request's (PS3.7 §9.3, §10.3). For what is not done on an accepted context: 0211 unrecognised operation.
    """
    values: dict[int, bytes] = {
        _FIELD: _US.pack(response_field(request.field)),
        _RESPONDED_ID: _US.pack(request.message_id or 0),
        _DATA_SET_TYPE: _US.pack(NO_DATA_SET),
        _STATUS: _US.pack(status),
    }
    if request.sop_class:
        values[_AFFECTED_CLASS] = _uid(request.sop_class)
    if request.sop_instance:
        values[_AFFECTED_INSTANCE] = _uid(request.sop_instance)
    if comment:
        values[_COMMENT] = _line(comment)
    return _encoded(values)


def store_response(request: Command, status: int, comment: str | None = None) -> bytes:
    """C-STORE-RSP to `request` (PS3.7 §9.3.1.2); any other request is a `LocalError`."""
    if request.field != C_STORE_RQ:
        raise LocalError(f"{request.name} is not answered by C-STORE-RSP")
    return response(request, status, comment)


def echo_request(number: int) -> bytes:
    """C-ECHO-RQ with this Message ID (PS3.7 §9.3.5.1)."""
    return _encoded(
        {
            _AFFECTED_CLASS: _uid("1.2.840.10008.1.1"),
            _FIELD: _US.pack(C_ECHO_RQ),
            _MESSAGE_ID: _US.pack(number),
            _DATA_SET_TYPE: _US.pack(NO_DATA_SET),
        }
    )


def echo_response(request: Command, status: int = 0x0000) -> bytes:
    """C-ECHO-RSP to `request` (PS3.7 §9.3.5.2); any other request is a `LocalError`."""
    if request.field != C_ECHO_RQ:
        raise LocalError(f"{request.name} is not answered by C-ECHO-RSP")
    return response(request, status)


@dataclass(slots=True)
class _Found:
    """What stands in a command set, by element: where each value that is read here starts, and the value itself."""

    starts: dict[int, int]
    numbers: dict[int, int]
    texts: dict[int, str]
    notes: set[str]


def _elements(data: bytes) -> _Found:
    """Every element of the set, checked; raises `CommandFault`."""
    size = len(data)
    if size > LARGEST:
        raise CommandFault("over-limit", LARGEST)
    if not size:
        raise CommandFault("empty", 0)
    starts: dict[int, int] = {}
    found = _Found(starts, {}, {}, set())
    at, before = 0, -1
    while at < size:
        if size - at < 8:
            raise CommandFault("past-end", at)
        group, element, length = _HEADER.unpack_from(data, at)
        start = at + 8
        after = start + length
        if group:
            raise CommandFault("wrong-group", at)
        if after > size:
            raise CommandFault("past-end", at)
        if length & 1:
            found.notes.add("odd-length")
        if element <= before:
            found.notes.add("unordered")
        if element in _READ:
            if element in starts:
                raise CommandFault("repeated", at)
            starts[element] = start
            if element in _TEXTS:
                found.texts[element] = data[start:after].rstrip(b"\0 ").decode("latin-1")
            elif element in _NUMBERS:
                if length != 2:
                    raise CommandFault("bad-length", at)
                found.numbers[element] = data[start] | data[start + 1] << 8
            elif length != 4:
                raise CommandFault("bad-length", at)
        at, before = after, element
    if _GROUP_LENGTH not in starts:
        found.notes.add("no-group-length")
    else:
        _check_group_length(data, starts[_GROUP_LENGTH])
    return found


def _check_group_length(data: bytes, start: int) -> None:
    """A member that trusts (0000,0000) would choke on the rest where it is wrong, and the next member too."""
    if _UL.unpack_from(data, start)[0] != len(data) - start - 4:
        raise CommandFault("group-length", start - 8)


def _uid(text: str) -> bytes:
    """A UID padded to an even length with NUL (PS3.5 §9)."""
    value = text.encode("latin-1")
    return value + b"\0" if len(value) & 1 else value


def _line(text: str) -> bytes:
    """Text for an LO of one value: ≤ 64 printable ASCII characters, no backslash, padded to an even length (PS3.5 §6.2)."""
    value = "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in text)[:64].encode("ascii")
    return value + b" " if len(value) & 1 else value


def _encoded(values: dict[int, bytes]) -> bytes:
    """A command set of these elements in order, behind its group length."""
    body = b"".join(_HEADER.pack(0, element, len(value)) + value for element, value in sorted(values.items()))
    return _HEADER.pack(0, _GROUP_LENGTH, 4) + _UL.pack(len(body)) + body
