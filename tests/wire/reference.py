"""The one place for a second walker of P-DATA-TF: slow, over a whole stream at once, one clause of the standard after the other.

It shares nothing with `pdv.Inbound`. Everything it tells is in positions of the stream, so that whatever way the bytes came in, and
whatever buffer they lay in, the two can be compared number by number.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

MAX_COMMAND = 16 * 1024  # dicom.md §8


@dataclass
class DataSet:
    """One data set: where its wire bytes stand, headers included (PS3.8 §9.3.5)."""

    context: int
    start: int
    end: int = 0  # of what has come
    lead: int = 0  # bytes of the variable field it begins in, when that PDU also holds the command's end
    ids: list[int] = field(default_factory=list)  # of every context id byte
    payload: list[tuple[int, int]] = field(default_factory=list)
    last: bool = False

    def payload_in(self, start: int, end: int) -> list[tuple[int, int]]:
        """The payload between two positions, as spans."""
        first = max(bisect_right(self.payload, (start,)) - 1, 0)
        inside = self.payload[first : bisect_left(self.payload, (end,))]
        return [(max(begin, start), min(stop, end)) for begin, stop in inside if stop > start]


@dataclass
class Told:
    """All that a walker has to say of a stream."""

    commands: list[tuple[int, bytes, bool]] = field(default_factory=list)  # context id, bytes, a data set follows
    sets: list[DataSet] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # where messages end
    notes: set[str] = field(default_factory=set)
    faults: set[str] = field(default_factory=set)  # every word that fits; one of them is told
    stop: int = 0  # the first byte not consumed
    skip: int = 0  # from there to the end of the PDU at fault


def tell(stream: bytes, accepted: frozenset[int], maximum: int) -> Told:
    """Read P-DATA-TF PDUs from the first byte on, until something else, a fault or the end."""
    reader = _Reader(stream, accepted)
    told, at = reader.told, 0
    while len(stream) - at >= 6 and stream[at] == 4:
        told.stop = at
        length = int.from_bytes(stream[at + 2 : at + 6], "big")
        end = at + 6 + length
        if length > maximum or length < 6:
            told.faults = {"pdu-over-limit"} if length > maximum else {"pdv-past-its-pdu"}
        elif not reader.pdu(at, end):
            return told
        if told.faults:
            told.skip = end - told.stop
            return told
        at = end
    told.stop = at
    return told


class _Reader:
    """What is open: a message's command (`_text`) or its data set (`_open`)."""

    def __init__(self, stream: bytes, accepted: frozenset[int]) -> None:
        self.told = Told()
        self._stream = stream
        self._accepted = accepted
        self._context: int | None = None  # of the message that is open
        self._text: bytes | None = None
        self._open: DataSet | None = None

    def pdu(self, at: int, end: int) -> bool:
        """The PDVs of one PDU; False when the stream ends inside it. `told.stop` is where walking must have come to."""
        pdv = at + 6
        while pdv < end:
            first = at if pdv == at + 6 else pdv
            self.told.stop = first
            if len(self._stream) - pdv < 6:
                return False
            size = int.from_bytes(self._stream[pdv : pdv + 4], "big")
            context, control = self._stream[pdv + 4], self._stream[pdv + 5]
            self.told.faults = self._faults(size, end - pdv - 4 - size, context, control)
            if self.told.faults:
                return True
            self._begin(first, pdv, end, context, control)
            come = min(pdv + 4 + size, len(self._stream))
            self._payload(pdv + 6, come, control)
            self.told.stop = come
            if come < pdv + 4 + size:
                return False
            if control & 2:
                self._finish(control, come, end)
                if self.told.faults:
                    return True
            pdv = come
        return True

    def _faults(self, size: int, rest: int, context: int, control: int) -> set[str]:
        """What PS3.8 Annex E and PS3.7 §6.3 forbid of this PDV, with `rest` bytes of the PDU behind it."""
        command = bool(control & 1)
        found = set()
        if size < 2:
            found.add("pdv-too-short")
        if rest < 0 or 0 < rest < 6:
            found.add("pdv-past-its-pdu")
        if self._context is None and context not in self._accepted:
            found.add("context-not-accepted")
        if self._context is not None and context != self._context:
            found.add("interleaved-messages")
        if self._open is None and not command:
            found.add("data-before-command")
        if self._open is not None and command:
            found.add("interleaved-messages")
        if self._open is not None and control & 2 and rest:
            found.add("pdv-after-the-last")
        if command and len(self._text or b"") + size - 2 > MAX_COMMAND:
            found.add("command-over-limit")
        return found

    def _begin(self, first: int, pdv: int, end: int, context: int, control: int) -> None:
        size = int.from_bytes(self._stream[pdv : pdv + 4], "big")
        if control & 0xFC:
            self.told.notes.add("control-header-bits")
        if size == 2:
            self.told.notes.add("empty-pdv")
        elif size % 2:
            self.told.notes.add("odd-fragment")
        self._context = context
        if control & 1:
            self._text = self._text or b""
            return
        if self._open is None or self._open.last:
            self._open = DataSet(context, first)
            self.told.sets.append(self._open)
        if not self._open.ids and first == pdv:
            self._open.lead = end - pdv
        self._open.ids.append(pdv + 4)

    def _payload(self, start: int, end: int, control: int) -> None:
        if control & 1:
            self._text = (self._text or b"") + self._stream[start:end]
        elif self._open is not None:
            self._open.end = end
            if end > start:
                self._open.payload.append((start, end))

    def _finish(self, control: int, at: int, end: int) -> None:
        """The PDV with the last bit has come whole; `end` is its PDU's."""
        context = self._context or 0
        if not control & 1:
            assert self._open is not None
            self._open.last = True
            self._message_ends(at)
            return
        text = self._text or b""
        follows = data_set_follows(text)
        if not follows and at < end:
            self.told.faults = {"pdv-after-the-last"}
            return
        self.told.commands.append((context, text, follows))
        if follows:
            self._text, self._open = None, _AWAITED
        else:
            self._message_ends(at)

    def _message_ends(self, at: int) -> None:
        self.told.ends.append(at)
        self._context = self._text = self._open = None


_AWAITED = DataSet(0, 0, last=True)
"""A command with a data set has come, and nothing of the data set yet."""


def data_set_follows(command: bytes) -> bool:
    """(0000,0800) is there and not 0101H (PS3.7 §E.1); elements of Implicit VR Little Endian, one after the other."""
    while len(command) >= 8:
        tag, length = command[:4], int.from_bytes(command[4:8], "little")
        if tag == b"\0\0\0\x08":
            value = command[8:10]
            return length >= 2 and len(value) == 2 and value != b"\x01\x01"
        command = command[8 + length :]
    return False
