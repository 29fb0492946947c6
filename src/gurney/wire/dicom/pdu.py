"""The one place for the PDUs of PS3.8 §9.3 except P-DATA-TF (`pdv`): types with `encode` and `decode`, bytes in, bytes out.

`decode` takes a whole PDU, header included, and raises `PduFault` for what cannot be taken; what is tolerated is in `notes`.
Numbers are big endian; reserved fields are sent as 0 and never tested (PS3.8 §9.3.1).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gurney.wire.dicom import items
from gurney.wire.dicom.items import CommonExtended, Extended, Notes, PduFault, Role, SubItem

__all__ = [
    "APPLICATION_CONTEXT",
    "Abort",
    "AssociateAC",
    "AssociateRJ",
    "AssociateRQ",
    "CommonExtended",
    "ContextAC",
    "ContextRQ",
    "Extended",
    "PduFault",
    "Role",
    "SubItem",
    "decode",
    "fault",
]

TYPE_RQ, TYPE_AC, TYPE_RJ, TYPE_DATA, TYPE_RELEASE_RQ, TYPE_RELEASE_RP, TYPE_ABORT = range(1, 8)

MAX_ASSOCIATE = 256 * 1024  # variable field of an A-ASSOCIATE PDU in bytes (dicom.md §8)
OWN_MAXIMUM = 128 * 1024  # what we advertise and enforce for a P-DATA-TF variable field (dicom.md §2)
DEFAULT_MAXIMUM = 16_384  # taken when the peer names no maximum length (dicom.md §2)

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"  # PS3.7 §A.2.1
IMPLEMENTATION_CLASS = "2.25.310493281460246479098083099184541938106"
IMPLEMENTATION_VERSION = "GURNEY_1"
IMPLICIT_LE = "1.2.840.10008.1.2"

_HEADER = struct.Struct(">BxI")
_FIXED = 74  # header and fixed fields of an A-ASSOCIATE-RQ or -AC

ACCEPTED, USER_REJECTED, NO_REASON, NO_ABSTRACT, NO_TRANSFER = range(5)  # results of PS3.8 Table 9-18

RELEASE_RQ = _HEADER.pack(TYPE_RELEASE_RQ, 4) + bytes(4)
RELEASE_RP = _HEADER.pack(TYPE_RELEASE_RP, 4) + bytes(4)


@dataclass(frozen=True, slots=True)
class ContextRQ:
    """A proposed presentation context: odd id 1–255, one abstract syntax, transfer syntaxes in the sender's order."""

    id: int
    abstract: str
    transfers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextAC:
    """An answered presentation context. `result` of PS3.8 Table 9-18; `transfer` is meaningful when it is 0."""

    id: int
    result: int
    transfer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRQ:
    """A-ASSOCIATE-RQ (PS3.8 §9.3.2). `ae_bytes`: bytes 11–74 as they came; empty: written from the titles.

    `max_length` in bytes of a P-DATA-TF variable field, 0 = no limit. `user_identity`, `unknown`, `roles` …: bytes unchanged.
    """

    called_ae: str = ""
    calling_ae: str = ""
    contexts: tuple[ContextRQ, ...] = ()
    ae_bytes: bytes = b""
    application_context: str = APPLICATION_CONTEXT
    max_length: int = OWN_MAXIMUM
    implementation_class: str = IMPLEMENTATION_CLASS
    implementation_version: str = IMPLEMENTATION_VERSION
    async_window: tuple[int, int] | None = None
    roles: tuple[Role, ...] = ()
    extended: tuple[Extended, ...] = ()
    common_extended: tuple[CommonExtended, ...] = ()
    user_identity: bytes | None = field(default=None, repr=False)
    unknown: tuple[SubItem, ...] = field(default=(), repr=False)
    protocol_version: int = 1
    notes: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The whole PDU. Items ascend by type, as PS3.7 §D.3.3 lists them."""
        contexts = [
            items.item(
                items.CONTEXT_RQ,
                bytes((context.id, 0, 0, 0))
                + items.item(items.ABSTRACT, _text(context.abstract))
                + b"".join(items.item(items.TRANSFER, _text(transfer)) for transfer in context.transfers),
            )
            for context in self.contexts
        ]
        ae_bytes = self.ae_bytes or _padded_ae(self.called_ae) + _padded_ae(self.calling_ae) + bytes(32)
        return _associate(TYPE_RQ, self, ae_bytes, contexts, items.USER_IDENTITY_RQ)

    @classmethod
    def decode(cls, data: bytes) -> AssociateRQ:
        """Read a whole PDU; PduFault reason 6 for item past its end, even or repeated context id, too many items."""
        read = _Read(data, items.CONTEXT_RQ, items.USER_IDENTITY_RQ)
        contexts = tuple(read.requested_context(start, end) for start, end in read.contexts)
        return cls(
            called_ae=items.ae_title(data[10:26], read.notes),
            calling_ae=items.ae_title(data[26:42], read.notes),
            contexts=contexts,
            ae_bytes=data[10:74],
            **read.common(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateAC:
    """A-ASSOCIATE-AC (PS3.8 §9.3.3). `ae_bytes`: the RQ's bytes 11–74, echoed. `user_identity`: the server response item."""

    ae_bytes: bytes = b""
    contexts: tuple[ContextAC, ...] = ()
    application_context: str = APPLICATION_CONTEXT
    max_length: int = OWN_MAXIMUM
    implementation_class: str = IMPLEMENTATION_CLASS
    implementation_version: str = IMPLEMENTATION_VERSION
    async_window: tuple[int, int] | None = None
    roles: tuple[Role, ...] = ()
    extended: tuple[Extended, ...] = ()
    common_extended: tuple[CommonExtended, ...] = ()
    user_identity: bytes | None = field(default=None, repr=False)
    unknown: tuple[SubItem, ...] = field(default=(), repr=False)
    protocol_version: int = 1
    notes: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The whole PDU. A refused context carries Implicit LE as its transfer syntax, which is not significant (Table 9-18)."""
        contexts = [
            items.item(
                items.CONTEXT_AC,
                bytes((context.id, 0, context.result, 0)) + items.item(items.TRANSFER, _text(context.transfer or IMPLICIT_LE)),
            )
            for context in self.contexts
        ]
        return _associate(TYPE_AC, self, self.ae_bytes or bytes(64), contexts, items.USER_IDENTITY_AC)

    @classmethod
    def decode(cls, data: bytes) -> AssociateAC:
        """Read a whole PDU; PduFault as `AssociateRQ.decode`."""
        read = _Read(data, items.CONTEXT_AC, items.USER_IDENTITY_AC)
        contexts = tuple(read.answered_context(start, end) for start, end in read.contexts)
        return cls(contexts=contexts, ae_bytes=data[10:74], **read.common())


@dataclass(frozen=True, slots=True)
class AssociateRJ:
    """A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

    result: int
    source: int
    reason: int

    def encode(self) -> bytes:
        """The whole PDU, 10 bytes."""
        return _HEADER.pack(TYPE_RJ, 4) + bytes((0, self.result, self.source, self.reason))

    @classmethod
    def decode(cls, data: bytes) -> AssociateRJ:
        """Read a whole PDU."""
        return cls(*_short(data)[1:])


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 Table 9-26). Source 0 the service user, 2 the provider."""

    source: int
    reason: int

    def encode(self) -> bytes:
        """The whole PDU, 10 bytes."""
        return _HEADER.pack(TYPE_ABORT, 4) + bytes((0, 0, self.source, self.reason))

    @classmethod
    def decode(cls, data: bytes) -> Abort:
        """Read a whole PDU."""
        return cls(*_short(data)[2:])


def decode(data: bytes) -> AssociateRQ | AssociateAC | AssociateRJ | Abort:
    """Read one whole association PDU of any of the four types that carry something; PduFault reason 1 for another type."""
    kinds: dict[int, type[AssociateRQ | AssociateAC | AssociateRJ | Abort]] = {
        TYPE_RQ: AssociateRQ,
        TYPE_AC: AssociateAC,
        TYPE_RJ: AssociateRJ,
        TYPE_ABORT: Abort,
    }
    kind = kinds.get(data[0]) if data else None
    if kind is None:
        raise PduFault(1, "unknown-pdu")
    return kind.decode(data)


def fault(rq: AssociateRQ) -> tuple[int, int, int] | None:
    """What an association request is rejected with whoever asks: result, source, reason, or None. The core answers these itself.

    1/2/2: bit 0 of the protocol version is not set (PS3.8 Table 9-11). 1/1/2: another application context (§9.3.2.1).
    """
    if not rq.protocol_version & 1:
        return (1, 2, 2)
    if rq.application_context != APPLICATION_CONTEXT:
        return (1, 1, 2)
    return None


def only_asked(ac: AssociateAC, asked: Sequence[ContextRQ]) -> AssociateAC:
    """The AC without contexts nobody asked for; noted, since taking them would let a peer name its own."""
    ids = {context.id for context in asked}
    kept = tuple(context for context in ac.contexts if context.id in ids)
    if len(kept) == len(ac.contexts):
        return ac
    return replace(ac, contexts=kept, notes=(*ac.notes, "context-not-asked"))


def _associate(kind: int, message: AssociateRQ | AssociateAC, ae_bytes: bytes, contexts: list[bytes], identity: int) -> bytes:
    """An A-ASSOCIATE PDU around the items that RQ and AC share."""
    user = [items.item(items.MAXIMUM_LENGTH, struct.pack(">I", message.max_length))]
    user.append(items.item(items.IMPLEMENTATION_CLASS_ITEM, _text(message.implementation_class)))
    if message.async_window is not None:
        user.append(items.item(items.ASYNC_WINDOW, struct.pack(">HH", *message.async_window)))
    user.extend(items.item(items.ROLE, role.data) for role in message.roles)
    if message.implementation_version:
        user.append(items.item(items.IMPLEMENTATION_VERSION_ITEM, _text(message.implementation_version)))
    user.extend(items.item(items.EXTENDED, extended.data) for extended in message.extended)
    user.extend(items.item(items.COMMON_EXTENDED, common.data) for common in message.common_extended)
    if message.user_identity is not None:
        user.append(items.item(identity, message.user_identity))
    user.extend(items.item(other.kind, other.data) for other in message.unknown if other.in_user_information)
    body = struct.pack(">HH", message.protocol_version, 0) + ae_bytes
    body += items.item(items.APPLICATION_CONTEXT_ITEM, _text(message.application_context)) + b"".join(contexts)
    body += items.item(items.USER_INFORMATION, b"".join(user))
    body += b"".join(items.item(other.kind, other.data) for other in message.unknown if not other.in_user_information)
    return _HEADER.pack(kind, len(body)) + body


def _text(text: str) -> bytes:
    return text.encode("latin-1")


def _padded_ae(title: str) -> bytes:
    return _text(title).ljust(16)[:16]


def _short(data: bytes) -> bytes:
    """The four bytes of a PDU whose length is always 4."""
    if len(data) != 10 or _HEADER.unpack_from(data)[1] != 4:
        raise PduFault(6, "wrong-length")
    return data[6:10]


class _Read:
    """Reading one A-ASSOCIATE PDU: the items found, before they become an AssociateRQ or AssociateAC."""

    def __init__(self, data: bytes, context_kind: int, identity: int) -> None:
        if len(data) < _FIXED or _HEADER.unpack_from(data)[1] != len(data) - 6:
            raise PduFault(6, "wrong-length")
        self.data = data
        self.notes: Notes = {}
        self.budget = [items.MAX_ITEMS]
        self.contexts: list[tuple[int, int]] = []
        self.application_context: str | None = None
        self.user: dict[str, Any] = {}
        self.lists: dict[str, list[Any]] = {"roles": [], "extended": [], "common_extended": [], "unknown": []}
        self._ids: set[int] = set()
        self._uids: dict[bytes, str] = {}
        for kind, start, end in items.walk(data, _FIXED, len(data), self.budget):
            if kind == context_kind:
                self.contexts.append((start, end))
            elif kind == items.USER_INFORMATION:
                self._user_information(start, end, identity)
            elif kind != items.APPLICATION_CONTEXT_ITEM:
                self._unknown(SubItem(kind, data[start:end], False))
            elif self.application_context is None:
                self.application_context = self.uid(start, end)
            else:
                self.notes["repeated-item"] = None

    def uid(self, start: int, end: int) -> str:
        """A UID; the same bytes become the same text, so that thousands of repetitions cost no memory."""
        raw = self.data[start:end]
        text = self._uids.get(raw)
        if text is None:
            text = self._uids[raw] = items.uid(raw, self.notes)
        return text

    def common(self) -> dict[str, Any]:
        """What RQ and AC share, as keyword arguments; absent items noted."""
        user = self.user
        for name, absent, word in (
            ("max_length", DEFAULT_MAXIMUM, "no-maximum-length"),
            ("implementation_class", "", "no-implementation-class"),
            ("implementation_version", "", "no-implementation-version"),
        ):
            if name not in user:
                user[name] = absent
                self.notes[word] = None
        version = struct.unpack_from(">H", self.data, 6)[0]
        lists = {name: tuple(found) for name, found in self.lists.items()}
        context = {"application_context": self.application_context or "", "protocol_version": version}
        return {**user, **lists, **context, "notes": tuple(self.notes)}

    def requested_context(self, start: int, end: int) -> ContextRQ:
        """PS3.8 Table 9-13: id, one abstract syntax, transfer syntaxes."""
        number = self._context_id(start, end)
        abstract: str | None = None
        transfers: list[str] = []
        for kind, first, stop in items.walk(self.data, start + 4, end, self.budget):
            if kind == items.TRANSFER:
                transfers.append(self.uid(first, stop))
            elif kind == items.ABSTRACT and abstract is None:
                abstract = self.uid(first, stop)
            else:
                self.notes["odd-context-item"] = None
        return ContextRQ(number, abstract or "", tuple(transfers))

    def answered_context(self, start: int, end: int) -> ContextAC:
        """PS3.8 Table 9-18: id, result, one transfer syntax. Accepted without one cannot be used: read as result 4."""
        number = self._context_id(start, end)
        result = self.data[start + 2]
        transfer = ""
        for kind, first, stop in items.walk(self.data, start + 4, end, self.budget):
            if kind == items.TRANSFER and not transfer:
                transfer = self.uid(first, stop)
            else:
                self.notes["odd-context-item"] = None
        if result == ACCEPTED and not transfer:
            self.notes["accepted-without-transfer-syntax"] = None
            result = NO_TRANSFER
        return ContextAC(number, result, transfer)

    def _context_id(self, start: int, end: int) -> int:
        if end - start < 4:
            raise PduFault(6, "item-past-its-end")
        number = self.data[start]
        if not number & 1:
            raise PduFault(6, "even-context-id")
        if number in self._ids:
            raise PduFault(6, "repeated-context-id")
        self._ids.add(number)
        return number

    def _unknown(self, other: SubItem) -> None:
        self.lists["unknown"].append(other)
        self.notes["unknown-item"] = None

    def _user_information(self, start: int, end: int, identity: int) -> None:
        """PS3.7 Annex D.3.3; the first of a repeated single item counts."""
        for kind, first, stop in items.walk(self.data, start, end, self.budget):
            raw = self.data[first:stop]
            if kind == items.ROLE:
                self.lists["roles"].append(items.checked_role(raw))
            elif kind == items.EXTENDED:
                self.lists["extended"].append(items.checked_extended(raw))
            elif kind == items.COMMON_EXTENDED:
                self.lists["common_extended"].append(items.checked_common(raw))
            elif kind in (items.MAXIMUM_LENGTH, items.ASYNC_WINDOW):
                if len(raw) != 4:
                    raise PduFault(6, "wrong-item-length")
                if kind == items.MAXIMUM_LENGTH:
                    self._single("max_length", struct.unpack(">I", raw)[0])
                else:
                    self._single("async_window", struct.unpack(">HH", raw))
            elif kind == items.IMPLEMENTATION_CLASS_ITEM:
                self._single("implementation_class", self.uid(first, stop))
            elif kind == items.IMPLEMENTATION_VERSION_ITEM:
                self._single("implementation_version", raw.strip(b"\x00 ").decode("latin-1"))
            elif kind == identity:
                self._single("user_identity", items.checked_identity(raw, identity == items.USER_IDENTITY_RQ))
            else:
                self._unknown(SubItem(kind, raw))

    def _single(self, name: str, value: object) -> None:
        if name in self.user:
            self.notes["repeated-item"] = None
        else:
            self.user[name] = value
