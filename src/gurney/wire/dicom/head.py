"""The one place for reading the facts at the head of a data set while it streams past (PS3.5 §7, dicom.md §3).

`Head` is a resumable walker: bytes come cut anywhere, only a cut header or a cut wanted value is kept between calls. It emits elements of
depth 0, skips defined lengths without looking inside, walks undefined ones by items and delimiters, and stops past the last tag wanted. It
says *unreadable* with a reason of `REASONS`, never a guess; what it says does not depend on where the bytes were cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from gurney.wire.dicom.elements import (
    DELIMITER_GROUP,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    encoding_of,
    is_deflated,
)
from gurney.wire.dicom.inflate import INFLATED, Inflater

Buffer = bytes | bytearray | memoryview

CAP: Final = 256 * 1024
"""Bytes of a data set that are looked at."""
DEPTH: Final = 64
"""Sequences of undefined length inside each other that are walked."""
VALUE: Final = 64 * 1024
"""Bytes of a wanted value at most."""

REASONS: Final = {
    "not-a-vr": "the two bytes where a VR stands are none of PS3.5 §6.2",
    "byte-order": "the first group has its bytes the other way round",
    "explicit": "an Implicit VR data set begins with what is an element of Explicit VR",
    "length-past-cap": "a length reaches past the bytes that are looked at",
    "value-too-long": "a wanted value is longer than is kept",
    "undefined-length": "an undefined length on a VR that cannot have one",
    "depth": "sequences are nested deeper than is walked",
    "stray-item": "an item or delimiter stands where an element is due",
    "delimiter": "a delimiter has a length",
    "not-an-item": "an element stands where an item is due",
    "no-end": "the last tag wanted is not passed within the bytes that are looked at",
    "cut": "the data set ends inside an element",
    "deflate": "the deflate stream is broken, does not end or grows too much",
    "twice": "a wanted element stands twice",
    "late-creator": "a private creator stands behind the elements it names",
}
"""Reason → what was met."""

_ANY: Final = (DELIMITER_GROUP << 16) - 1  # nothing below the delimiters is past it
_ITEMS: Final = 1  # frame of a sequence: an item is due; else of an item: an element is due
_IMPLICIT: Final = 2  # frame below a UN: Implicit LE, whatever is outside (PS3.5 §6.2.2)
_NO_GROUPS: Final[frozenset[int]] = frozenset()


class Wanted(Protocol):
    """What to find. `last` is the largest tag among `tags`; the walk goes on to the private ones by itself."""

    @property
    def tags(self) -> frozenset[int]: ...

    @property
    def private(self) -> tuple[tuple[int, int, str], ...]: ...  # (group, low byte of the element, creator)

    @property
    def last(self) -> int: ...


class Head:
    """The head of one data set. `values`, `private` and `unreadable` count once `decided` is True.

    Values are the raw bytes, padding included, in the data set's byte order; an empty element is `b""`, an absent one has no entry.
    A wanted element that is a sequence has none either. When unreadable both mappings are empty.
    """

    __slots__ = (
        "_base", "_before", "_carry", "_creators", "_encoding", "_groups", "_inflater", "_last", "_need", "_orphans", "_private", "_seen",
        "_skip", "_stack", "_tags", "decided", "private", "unordered", "unreadable", "values",
    )  # fmt: skip

    def __init__(self, transfer_syntax: str, wanted: Wanted) -> None:
        self.values: dict[int, bytes] = {}
        self.private: dict[tuple[int, int, str], bytes] = {}
        self.unreadable: str | None = None
        self.unordered = False
        self.decided = False
        self._tags = wanted.tags
        self._private = wanted.private
        self._last = wanted.last
        self._groups = _NO_GROUPS
        if wanted.private:
            self._groups = frozenset(group for group, _, _ in wanted.private)
            self._last = max(self._last, *(group << 16 | 0xFF00 | low for group, low, _ in wanted.private))
        self._creators: dict[int, str] = {}  # group << 8 | block → creator
        self._orphans: set[int] = set()  # group << 8 | block of elements met before a creator
        self._encoding = encoding_of(transfer_syntax)
        self._inflater = Inflater() if is_deflated(transfer_syntax) else None
        self._stack: list[int] = []  # frames below depth 0
        self._before = -1  # the last tag at depth 0
        self._carry = bytearray()  # a cut element at depth 0 or a cut header
        self._need = 0  # bytes of it that are needed to go on
        self._skip = 0  # bytes of a value still to pass
        self._base = 0  # offset in the data set of the first byte of the buffer being walked
        self._seen = 0  # bytes of the data set fed so far

    def feed(self, view: Buffer) -> bool:
        """The next bytes of the data set, in place; whether all is decided. Costs nothing more once it is."""
        if self.decided:
            return True
        if self._inflater is None:
            self._feed(view, CAP)
        else:
            self._feed_inflated(self._inflater, self._inflater.inflate(view))
        return self.decided

    def finish(self) -> bool:
        """The data set has ended: what is absent now is absent. Always True."""
        if self._inflater is not None and not self.decided:
            self._feed_inflated(self._inflater, self._inflater.flush())
        if not self.decided:
            if self._inflater is not None and not self._inflater.ended:
                self._give_up("deflate")
            elif self._stack or self._carry or self._skip:
                self._give_up("cut")
            else:
                self.decided = True
        return True

    def _feed_inflated(self, inflater: Inflater, pieces: Iterator[bytes]) -> None:
        """Walk what comes out of the deflate stream, as far as it is needed."""
        for piece in pieces:
            self._feed(piece, INFLATED)
            if self.decided:
                return
        if inflater.broken:
            self._give_up("deflate")
        elif inflater.exhausted:
            self._give_up("no-end")

    def _feed(self, view: Buffer, cap: int) -> None:
        """Walk `view` as far as the cap allows, joining it to what was cut before."""
        at, end = 0, min(len(view), cap - self._seen)
        start = self._seen
        self._seen += end
        while at < end and not self.decided:
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
            elif self._carry:
                step = min(self._need - len(self._carry), end - at)
                self._carry += view[at : at + step]
                at += step
                if len(self._carry) == self._need:
                    self._base = start + at - self._need
                    if self._walk(self._carry, 0, self._need, cap):
                        self._carry = bytearray()
            else:
                self._base = start
                at = self._walk(view, at, end, cap)
                if self._need and not self.decided:
                    self._carry += view[at:end]
                    at = end
        if self._seen >= cap and not self.decided:
            self._give_up("no-end")

    def _walk(self, buf: Buffer, at: int, end: int, cap: int) -> int:
        """Walk whole elements of `buf[at:end)`; where the first one stands that is cut, with `_need` set to the bytes it needs."""
        self._need = 0
        limit = cap - self._base
        while not self.decided and not self._need and at < end:
            if not self._stack:
                at = self._implicit(buf, at, end, limit) if self._encoding.implicit else self._explicit(buf, at, end, limit)
            elif self._stack[-1] & _ITEMS:
                at = self._items(buf, at, end, limit)
            else:
                at = self._inside(buf, at, end, limit)
        return at

    def _explicit(self, buf: Buffer, at: int, end: int, limit: int) -> int:
        """Elements of depth 0 in Explicit VR: the tight loop of nearly every object (PS3.5 §7.1.2)."""
        encoding = self._encoding
        unpack, shorts, sequence = encoding.header.unpack_from, encoding.shorts, encoding.sequence
        tags, groups, last, before = self._tags, self._groups, self._last, self._before
        whole = end - 8
        if before < 0 and at <= whole and self._is_misread(buf, at):
            return at
        while at <= whole:
            group, element, vr, length = unpack(buf, at)
            tag = group << 16 | element
            if tag > last:
                return self._past(tag, at, vr in shorts or vr in encoding.longs)
            if tag <= before:
                if self._turn(tag, before):
                    return at
                last = self._last
            start = at + 8
            if vr not in shorts:
                if vr not in encoding.longs:
                    return self._give_up("not-a-vr", at)
                start = at + 12
                if start > end:
                    return self._await(at, before, 12)
                (length,) = encoding.length.unpack_from(buf, at + 8)
                if length == UNDEFINED:
                    self._before = tag
                    return self._open(group, vr, 0, start)
            after: int = start + length
            if (tag in tags or (groups and group in groups and self._is_wanted(tag))) and vr != sequence:
                if length > VALUE:
                    return self._give_up("value-too-long", at)
                if after > end:
                    return self._await(at, before, after - at) if after <= limit else self._give_up("length-past-cap", at)
                if self._keep(tag, bytes(buf[start:after])):
                    return after
            if after > end:
                self._before = tag
                return self._pass(after, end, limit)
            before, at = tag, after
        return self._await(at, before, 8 if at < end else 0)

    def _implicit(self, buf: Buffer, at: int, end: int, limit: int) -> int:
        """Elements of depth 0 in Implicit VR (PS3.5 §7.1.3)."""
        unpack = self._encoding.header.unpack_from
        tags, groups, last, before = self._tags, self._groups, self._last, self._before
        whole = end - 8
        if before < 0 and at <= whole and self._is_misread(buf, at):
            return at
        while at <= whole:
            group, element, length = unpack(buf, at)
            tag = group << 16 | element
            if tag > last:
                return self._past(tag, at, True)
            if tag <= before:
                if self._turn(tag, before):
                    return at
                last = self._last
            start = at + 8
            if length == UNDEFINED:
                self._before = tag
                return self._open(group, 0, _IMPLICIT, start)
            after: int = start + length
            if tag in tags or (groups and group in groups and self._is_wanted(tag)):
                if length > VALUE:
                    return self._give_up("value-too-long", at)
                if after > end:
                    return self._await(at, before, after - at) if after <= limit else self._give_up("length-past-cap", at)
                if self._keep(tag, bytes(buf[start:after])):
                    return after
            if after > end:
                self._before = tag
                return self._pass(after, end, limit)
            before, at = tag, after
        return self._await(at, before, 8 if at < end else 0)

    def _items(self, buf: Buffer, at: int, end: int, limit: int) -> int:
        """Items of a sequence of undefined length up to its delimiter; an item of defined length is skipped (PS3.5 §7.5)."""
        frame = self._stack[-1]
        encoding = IMPLICIT_LITTLE if frame & _IMPLICIT else self._encoding
        while end - at >= 8:
            group, element, length = encoding.item.unpack_from(buf, at)
            tag = group << 16 | element
            after = at + 8
            if tag == SEQUENCE_END:
                if length:
                    return self._give_up("delimiter", at)
                self._stack.pop()
                return after
            if tag != ITEM:
                return self._give_up("not-an-item", at)
            if length == UNDEFINED:
                self._stack.append(frame & _IMPLICIT)
                return after
            after += length
            if after > end:
                return self._pass(after, end, limit)
            at = after
        return self._await(at, self._before, 8 if at < end else 0)

    def _inside(self, buf: Buffer, at: int, end: int, limit: int) -> int:
        """Elements of an item of undefined length up to its delimiter; none of them is emitted."""
        frame = self._stack[-1]
        encoding = IMPLICIT_LITTLE if frame & _IMPLICIT else self._encoding
        while end - at >= 8:
            group, element, length = encoding.item.unpack_from(buf, at)
            start, vr = at + 8, 0
            if group == DELIMITER_GROUP:
                if element != ITEM_END & 0xFFFF:
                    return self._give_up("stray-item", at)
                if length:
                    return self._give_up("delimiter", at)
                self._stack.pop()
                return start
            if not encoding.implicit:
                _, _, vr, length = encoding.header.unpack_from(buf, at)
                if vr in encoding.longs:
                    start = at + 12
                    if start > end:
                        return self._await(at, self._before, 12)
                    (length,) = encoding.length.unpack_from(buf, at + 8)
                elif vr not in encoding.shorts:
                    return self._give_up("not-a-vr", at)
            if length == UNDEFINED:
                return self._open(group, vr, frame & _IMPLICIT, start)
            at, after = start + length, start + length
            if after > end:
                return self._pass(after, end, limit)
        return self._await(at, self._before, 8 if at < end else 0)

    def _is_misread(self, buf: Buffer, at: int) -> bool:
        """Whether the first element shows that the data set is not in its transfer syntax: what follows would be taken for absent.

        A group of 0800 is group 0008 in the other byte order. The low half of an Implicit VR length that spells a VR is at least 16,705
        bytes, which no first element has.
        """
        group, _, length = self._encoding.item.unpack_from(buf, at)
        vr = length & 0xFFFF
        if group and not group & 0xFF:
            self._give_up("byte-order")
        elif self._encoding.implicit and (vr in EXPLICIT_LITTLE.shorts or vr in EXPLICIT_LITTLE.longs):
            self._give_up("explicit")
        return self.decided

    def _open(self, group: int, vr: int, implicit: int, start: int) -> int:
        """Enter what has an undefined length: UN is Implicit LE inside (PS3.5 §6.2.2), a private element is taken as a sequence."""
        if len(self._stack) >= 2 * DEPTH:  # two frames a level
            return self._give_up("depth", start)
        if not implicit and not group & 1 and vr not in self._encoding.ended:
            return self._give_up("undefined-length", start)
        if not implicit and vr == self._encoding.unknown:
            implicit = _IMPLICIT
        self._stack.append(_ITEMS | implicit)
        return start

    def _await(self, at: int, before: int, need: int) -> int:
        """Stop at a cut element until `need` bytes of it are there (0: nothing is cut)."""
        self._before, self._need = before, need
        return at

    def _pass(self, after: int, end: int, limit: int) -> int:
        """Skip a value that goes on behind the buffer."""
        if after > limit:
            return self._give_up("length-past-cap", end)
        self._skip = after - end
        return end

    def _past(self, tag: int, at: int, is_element: bool) -> int:
        """A tag behind all that is wanted: decided, unless it is no tag."""
        if tag > _ANY:
            return self._give_up("stray-item", at)
        if not is_element:
            return self._give_up("not-a-vr", at)
        self.decided = True
        return at

    def _turn(self, tag: int, before: int) -> bool:
        """A tag not above the one before it: from a lower one on the data set is unordered. Whether all is decided."""
        if tag < before:
            self.unordered = True
            self._last = _ANY
        return self._is_complete()

    def _is_complete(self) -> bool:
        """Where the order tells nothing, only having found all ends the walk."""
        if self.unordered and len(self.values) == len(self._tags) and len(self.private) == len(self._private):
            self.decided = True
        return self.decided

    def _is_wanted(self, tag: int) -> bool:
        """Whether an element of a private group is needed: as a creator, or by its creator (PS3.5 §7.8)."""
        low = tag & 0xFF
        if not tag & 0xFF00:
            return low >= 0x10
        block, group = tag >> 8, tag >> 16
        creator = self._creators.get(block)
        if creator is None:
            if any(group == wanted and low == byte for wanted, byte, _ in self._private):
                self._orphans.add(block)
            return False
        return (group, low, creator) in self._private

    def _keep(self, tag: int, value: bytes) -> bool:
        """Keep a wanted value; whether all is decided."""
        if tag in self._tags:
            if tag in self.values:
                self._give_up("twice")
                return True
            self.values[tag] = value
        if tag >> 16 in self._groups:
            self._keep_private(tag, value)
        return self._is_complete() if self.unordered else self.decided

    def _keep_private(self, tag: int, value: bytes) -> None:
        """Keep what an element of a private group says: a creator, or a value known by its creator."""
        group, element = tag >> 16, tag & 0xFFFF
        key = (group, element & 0xFF, self._creators.get(tag >> 8, ""))
        if 0x10 <= element <= 0xFF:
            self._name(group, element, value.strip(b"\0 ").decode("latin-1"))
        elif key in self.private:
            self._give_up("twice")
        elif element > 0xFF and key in self._private:
            self.private[key] = value

    def _name(self, group: int, element: int, creator: str) -> None:
        """(gggg,00bb) reserves block bb for its creator."""
        block = group << 8 | element
        if block in self._creators:
            self._give_up("twice")
        elif block in self._orphans and any(group == wanted and creator == name for wanted, _, name in self._private):
            self._give_up("late-creator")
        else:
            self._creators[block] = creator

    def _give_up(self, reason: str, at: int = 0) -> int:
        """Unreadable: nothing found so far may be used."""
        self.decided = True
        self.unreadable = reason
        self.values = {}
        self.private = {}
        return at
