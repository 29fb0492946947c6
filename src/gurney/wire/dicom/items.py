"""The one place for the items inside A-ASSOCIATE PDUs (PS3.8 §9.3.2, §9.3.3; PS3.7 Annex D): walking, reading and writing them.

Reading never trusts a length: an item past its end is a `PduFault`. What is tolerated goes into `notes`, a dict used as an
ordered set of words.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAX_ITEMS = 8192  # in one A-ASSOCIATE PDU: 128 contexts of 30 syntaxes are about 4,000; more only eats memory

APPLICATION_CONTEXT_ITEM, CONTEXT_RQ, CONTEXT_AC, ABSTRACT, TRANSFER, USER_INFORMATION = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
MAXIMUM_LENGTH, IMPLEMENTATION_CLASS_ITEM, ASYNC_WINDOW, ROLE, IMPLEMENTATION_VERSION_ITEM = 0x51, 0x52, 0x53, 0x54, 0x55
EXTENDED, COMMON_EXTENDED, USER_IDENTITY_RQ, USER_IDENTITY_AC = 0x56, 0x57, 0x58, 0x59

Notes = dict[str, None]

_HEADER = struct.Struct(">BxH")
_LENGTH = struct.Struct(">H")


class PduFault(Exception):
    """A peer's PDU cannot be taken. `reason` is that of PS3.8 Table 9-26 (1 unknown, 2 unexpected, 6 invalid value); `why` a word."""

    def __init__(self, reason: int, why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why


@dataclass(frozen=True, slots=True)
class SubItem:
    """An item we do not know, as it came: inside the user information or beside it."""

    kind: int
    data: bytes
    in_user_information: bool = True


@dataclass(frozen=True, slots=True)
class Role:
    """SCP/SCU role selection (PS3.7 §D.3.3.4): the item's bytes after its header, unchanged."""

    data: bytes

    @classmethod
    def of(cls, sop_class: str, scu: bool, scp: bool) -> Role:
        """The item for a SOP class and the two roles."""
        return cls(_counted(sop_class) + bytes((scu, scp)))

    @property
    def sop_class(self) -> str:
        return _counted_uid(self.data, 0)

    @property
    def scu(self) -> bool:
        return self.data[_after(self.data, 0)] != 0

    @property
    def scp(self) -> bool:
        return self.data[_after(self.data, 0) + 1] != 0


@dataclass(frozen=True, slots=True)
class Extended:
    """SOP class extended negotiation (PS3.7 §D.3.3.5): the item's bytes after its header, unchanged."""

    data: bytes

    @classmethod
    def of(cls, sop_class: str, information: bytes) -> Extended:
        """The item for a SOP class and its service class application information."""
        return cls(_counted(sop_class) + information)

    @property
    def sop_class(self) -> str:
        return _counted_uid(self.data, 0)

    @property
    def information(self) -> bytes:
        return self.data[_after(self.data, 0) :]


@dataclass(frozen=True, slots=True)
class CommonExtended:
    """SOP class common extended negotiation (PS3.7 §D.3.3.6): the item's bytes after its header, unchanged."""

    data: bytes

    @classmethod
    def of(cls, sop_class: str, service_class: str, related: tuple[str, ...] = ()) -> CommonExtended:
        """The item that names the service class of a SOP class and its related general SOP classes."""
        listed = b"".join(_counted(uid) for uid in related)
        return cls(_counted(sop_class) + _counted(service_class) + _LENGTH.pack(len(listed)) + listed)

    @property
    def sop_class(self) -> str:
        return _counted_uid(self.data, 0)

    @property
    def service_class(self) -> str:
        return _counted_uid(self.data, _after(self.data, 0))


def walk(data: bytes, start: int, end: int, budget: list[int]) -> Iterator[tuple[int, int, int]]:
    """The items of data[start:end) as (type, first byte, end). `budget` holds how many items the PDU may still have."""
    while start < end:
        if end - start < 4:
            raise PduFault(6, "item-past-its-end")
        budget[0] -= 1
        if budget[0] < 0:
            raise PduFault(6, "too-many-items")
        kind, length = _HEADER.unpack_from(data, start)
        start += 4
        if length > end - start:
            raise PduFault(6, "item-past-its-end")
        yield kind, start, start + length
        start += length


def item(kind: int, data: bytes) -> bytes:
    """An item with its header. The caller keeps it under 64 KiB (struct.error else, turned into a LocalError by `upper`)."""
    return struct.pack(">BxH", kind, len(data)) + data


def uid(raw: bytes, notes: Notes) -> str:
    """A UID as text, padding stripped; bytes that are no UID stay as they are (latin-1), since they are only compared."""
    text = raw.rstrip(b"\x00 ")
    if len(text) != len(raw):
        notes["uid-padded"] = None
    return text.decode("latin-1")


def ae_title(raw: bytes, notes: Notes) -> str:
    """An AE title as text: leading and trailing spaces are not significant (PS3.8 Table 9-11), NUL padding is tolerated."""
    if 0 in raw:
        notes["ae-title-nul-padded"] = None
    return raw.strip(b"\x00 ").decode("latin-1")


def checked_role(data: bytes) -> Role:
    """A role item whose UID and two role bytes are inside it."""
    if _after(data, 0) + 2 > len(data):
        raise PduFault(6, "role-past-its-end")
    return Role(data)


def checked_extended(data: bytes) -> Extended:
    """An extended negotiation item whose UID is inside it."""
    _after(data, 0)
    return Extended(data)


def checked_common(data: bytes) -> CommonExtended:
    """A common extended negotiation item whose UIDs are inside it."""
    at = _after(data, _after(data, 0))
    if at == len(data):  # the related classes left out altogether: tolerated, as pynetdicom and DCMTK do
        return CommonExtended(data)
    end = _after(data, at)
    at += 2
    while at < end:
        at = _after(data, at)
    if at != end:
        raise PduFault(6, "item-past-its-end")
    return CommonExtended(data)


def checked_identity(data: bytes, requested: bool) -> bytes:
    """A user identity item (PS3.7 §D.3.3.7) whose fields are inside it: type, answer wanted and two fields, or one server response."""
    if requested:
        if len(data) < 2:
            raise PduFault(6, "item-past-its-end")
        _after(data, _after(data, 2))
    else:
        _after(data, 0)
    return data


def _after(data: bytes, at: int) -> int:
    """Where the counted field at `at` ends, if inside data."""
    if at + 2 > len(data):
        raise PduFault(6, "item-past-its-end")
    end = at + 2 + int(_LENGTH.unpack_from(data, at)[0])
    if end > len(data):
        raise PduFault(6, "item-past-its-end")
    return end


def _counted_uid(data: bytes, at: int) -> str:
    return uid(data[at + 2 : _after(data, at)], {})


def _counted(text: str) -> bytes:
    raw = text.encode("latin-1")
    return _LENGTH.pack(len(raw)) + raw
