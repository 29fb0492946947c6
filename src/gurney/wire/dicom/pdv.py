"""The one place for P-DATA-TF (PS3.8 §9.3.5, Annex E): walking PDU and PDV headers in place, and writing them.

`Inbound` walks what a peer sends and copies no payload but a command's. `fragment_command`, `header`, `patch` and `Reframe` serve
what we send. A PDV item is 4 bytes of length (counting what follows), 1 of context id, 1 of control header (bit 0 command, bit 1 last).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache

from gurney.wire.dicom.command import Command, CommandFault, read
from gurney.wire.dicom.events import CommandSet, Data, Event
from gurney.wire.dicom.items import PduFault

Buffer = bytes | bytearray | memoryview

P_DATA = 4  # the PDU type
MAX_COMMAND = 16 * 1024  # bytes of a whole command set (dicom.md §8)
SMALLEST_MAXIMUM = 8  # a P-DATA-TF variable field that still holds 2 bytes of payload

COMMAND, LAST = 1, 2  # bits of the message control header (PS3.8 Table E.2-1)

BETWEEN, IN_COMMAND, IN_DATA = range(3)  # phases of a message

_PDU = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_BOTH = struct.Struct(">BxIIBB")
_HEADERS = _BOTH.size  # bytes of a PDU header and its first PDV header
_ELEMENT = struct.Struct("<HHI")
_NO_DATA_SET = b"\x01\x01"  # value of Command Data Set Type (0000,0800) (PS3.7 §E.1)


class Inbound:
    """The messages of one association as they come in; resumable at any byte, in any buffer.

    Bounded: one command of 16 KiB and a few numbers, whatever a length field says.
    """

    __slots__ = (
        *("phase", "pdu_left", "accepted", "maximum", "ended", "fault", "skip", "notes"),
        *("_command", "_context", "_control", "_pdv_left", "_begun", "_lead"),
    )

    def __init__(self, maximum: int, notes: dict[str, None]) -> None:
        self.maximum = maximum  # of a P-DATA-TF variable field, as advertised
        self.accepted: frozenset[int] = frozenset()  # context ids
        self.notes = notes  # words of what was tolerated
        self.phase = BETWEEN
        self.ended = False  # the last `walk` stopped right after a message
        self.fault: PduFault | None = None  # the last `walk` stopped at something PS3.8 Annex E or PS3.7 §6.3 forbids
        self.skip = 0  # bytes from where `walk` stopped at a fault to the end of that PDU
        self.pdu_left = 0  # bytes of the current PDU's variable field still to come
        self._command = bytearray()
        self._context = 0
        self._control = -1  # of the PDV that is open, -1 if none is
        self._pdv_left = 0  # payload of that PDV still to come
        self._begun = False  # the data set's first PDV has been met
        self._lead = 0

    def walk(self, buf: Buffer, pos: int, end: int, events: list[Event]) -> int:
        """Walk buf[pos:end) from where the last walk stopped, or from a P-DATA-TF header; returns where this one stops.

        That is: right after a message (`ended`), at a `fault`, at a header cut by `end`, at `end`, or at a PDU of another type.
        Appends at most one CommandSet and one Data.
        """
        self.ended = False
        ids: list[range] = []
        start = pos if self._begun else -1
        try:
            while not self.ended:
                if self._control < 0:
                    if not self.pdu_left and (at := self._whole(buf, pos, end, ids, events)) > pos:
                        if start < 0 and self._begun:
                            start = pos
                        pos = at
                        continue
                    at = self._open(buf, pos, end)
                    if at < 0:
                        break
                    if self.phase == IN_DATA:
                        if start < 0:
                            start = pos
                        ids.append(range(at - 2, at - 1))
                    pos = at
                pos = self._payload(buf, pos, end)
                if self._pdv_left:
                    break
                self._finish(events)
        except PduFault as fault:
            self.fault = fault
        if start >= 0 and pos > start:
            events.append(Data(start, pos, ids, self._lead, self.ended))
            self._lead = 0
        if self.ended:
            self._begun = False
        return pos

    def _whole(self, buf: Buffer, pos: int, end: int, ids: list[range], events: list[Event]) -> int:
        """The common case: whole PDUs of one even PDV each, as the message they belong to wants them next. Returns their end.

        `pos` for anything else, which is then read header by header: a cut PDU, several PDVs in one, and whatever is forbidden.
        """
        if end - pos < _HEADERS:
            return pos
        kind, left, size, context, control = _BOTH.unpack_from(buf, pos)
        after: int = pos + 6 + left
        if kind != P_DATA or left != size + 4 or left > self.maximum or after > end or size < 3 or size & 1:
            return pos
        if self.phase == IN_DATA:
            if context != self._context or control & ~LAST:
                return pos
            if not self._begun:
                self._begun, self._lead = True, 0
            if not control:
                return self._stride(buf, pos, end, left + 6, ids)
            ids.append(range(pos + 10, pos + 11))
            self.phase, self.ended = BETWEEN, True
            return after
        if self.phase != BETWEEN or control != COMMAND | LAST or context not in self.accepted or size > MAX_COMMAND:
            return pos
        self._context = context
        self._command_set(bytes(buf[pos + _HEADERS : after]), events)
        return after

    def _open(self, buf: Buffer, pos: int, end: int) -> int:
        """Read the next headers at pos; returns where the PDV's payload begins, -1 if a header is cut or the PDU is another's."""
        left = self.pdu_left
        if left:
            self.skip = left
            if end - pos < 6:
                return -1
            at = pos
        else:
            if end - pos < 6 or buf[pos] != P_DATA:
                return -1
            left = _PDU.unpack_from(buf, pos)[1]
            self.skip = 6 + left
            if left > self.maximum:
                raise PduFault(6, "pdu-over-limit")
            if left < 6:
                raise PduFault(6, "pdv-past-its-pdu")
            if end - pos < 12:
                return -1
            at = pos + 6
        size, context, control = _PDV.unpack_from(buf, at)
        self._enter(left, size, context, control)
        if control > (COMMAND | LAST):
            self.notes["control-header-bits"] = None
            control &= COMMAND | LAST
        if not control & COMMAND and not self._begun:
            self._begun = True
            self._lead = left if at == pos else 0
        self._control = control
        self._pdv_left = size - 2
        self.pdu_left = left - 6
        return at + 6

    def _enter(self, left: int, size: int, context: int, control: int) -> None:
        """Check a PDV header against its PDU (`left`: what was left of it before this header) and the message it belongs to."""
        rest = left - 4 - size
        if size < 2:
            raise PduFault(6, "pdv-too-short")
        if rest < 0 or 0 < rest < 6:
            raise PduFault(6, "pdv-past-its-pdu")
        if self.phase == BETWEEN:
            if not control & COMMAND:
                raise PduFault(6, "data-before-command")
            if context not in self.accepted:
                raise PduFault(6, "context-not-accepted")
            self._context = context
            self._command.clear()
            self.phase = IN_COMMAND
        elif context != self._context:
            raise PduFault(6, "interleaved-messages")
        if self.phase == IN_COMMAND:
            if not control & COMMAND:
                raise PduFault(6, "data-before-command")
            if len(self._command) + size - 2 > MAX_COMMAND:
                raise PduFault(6, "command-over-limit")
        elif control & COMMAND:
            raise PduFault(6, "interleaved-messages")
        elif control & LAST and rest:
            raise PduFault(6, "pdv-after-the-last")
        if size == 2:
            self.notes["empty-pdv"] = None
        elif size & 1:
            self.notes["odd-fragment"] = None

    @staticmethod
    def _stride(buf: Buffer, pos: int, end: int, step: int, ids: list[range]) -> int:
        """Whole PDUs with the very headers of the one at pos, `step` bytes each; returns where the first other one begins.

        They are compared in one pass over the buffer, without a step of ours for each.
        """
        view = memoryview(buf)
        first = pos
        same = bytes(view[pos : pos + _HEADERS])
        for (headers,) in _stepping(step).iter_unpack(view[pos : pos + (end - pos) // step * step]):
            if headers != same:
                break
            pos += step
        ids.append(range(first + 10, pos, step))
        return pos

    def _payload(self, buf: Buffer, pos: int, end: int) -> int:
        """Pass over the open PDV's payload as far as it has come; a command's is kept."""
        size = min(self._pdv_left, end - pos)
        if size:
            if self._control & COMMAND:
                self._command += buf[pos : pos + size]
            self._pdv_left -= size
            self.pdu_left -= size
        return pos + size

    def _finish(self, events: list[Event]) -> None:
        """Close the PDV; with the last one, the command or the data set."""
        control, self._control = self._control, -1
        if not control & LAST:
            return
        if not control & COMMAND:
            self.phase, self._begun, self.ended = BETWEEN, False, True
            return
        self._command_set(bytes(self._command), events)

    def _command_set(self, command: bytes, events: list[Event]) -> None:
        """A command set is whole: told, and what follows it is known."""
        said: Command | CommandFault
        try:
            said = read(command)
            data_set = said.data_set
        except CommandFault as fault:
            said, data_set = fault, has_data_set(command)
        if not data_set and self.pdu_left:
            self.skip = self.pdu_left
            raise PduFault(6, "pdv-after-the-last")
        events.append(CommandSet(self._context, command, data_set, said))
        if data_set:
            self.phase = IN_DATA
        else:
            self.phase, self.ended = BETWEEN, True


@lru_cache(maxsize=256)  # peers choose the sizes, but few of them
def _stepping(step: int) -> struct.Struct:
    """The headers of PDUs that follow each other every `step` bytes."""
    return struct.Struct(f"{_HEADERS}s{step - _HEADERS}x")


def has_data_set(command: bytes) -> bool:
    """Whether a data set follows: (0000,0800) is there and not 0101H. A command set that cannot be walked has none.

    Commands are Implicit VR Little Endian, whatever the context says (PS3.7 §6.3.1).
    """
    pos = 0
    while pos + 8 <= len(command):
        group, element, length = _ELEMENT.unpack_from(command, pos)
        pos += 8
        if (group, element) == (0, 0x0800):
            return length >= 2 and pos + 2 <= len(command) and command[pos : pos + 2] != _NO_DATA_SET
        pos += length
    return False


def header(lead: int) -> bytes:
    """The 6 bytes of a P-DATA-TF PDU with a variable field of `lead` bytes."""
    return _PDU.pack(P_DATA, lead)


def patch(buf: bytearray | memoryview, context_ids: Iterable[range], context_id: int) -> None:
    """Write another context id at the offsets a Data event gave."""
    for offsets in context_ids:
        if len(offsets) == 1:
            buf[offsets.start] = context_id
        else:
            buf[offsets.start : offsets.stop : offsets.step] = bytes((context_id,)) * len(offsets)


def payload_room(maximum: int) -> int:
    """Bytes of payload in a PDU of one PDV whose variable field is at most `maximum` (≥ 8); even, as PS3.8 §E.1's values are."""
    return (maximum - 6) & ~1


def fragment_command(context_id: int, data: bytes, maximum: int) -> bytes:
    """A command set as P-DATA-TF PDUs of at most `maximum` bytes of variable field (0: no limit)."""
    if not maximum or len(data) + 6 <= maximum:
        return _BOTH.pack(P_DATA, len(data) + 6, len(data) + 2, context_id, COMMAND | LAST) + data
    room = payload_room(maximum)
    pieces = [data[at : at + room] for at in range(0, len(data), room)]
    last = len(pieces) - 1
    return b"".join(_headers(context_id, len(piece), COMMAND | (LAST if n == last else 0)) + piece for n, piece in enumerate(pieces))


class Payload:
    """Where the payload lies in the runs of one data set that `Inbound` has walked, so that no header in them is cut or lies."""

    __slots__ = ("_pdu_left", "_pdv_left")

    def __init__(self) -> None:
        self._pdu_left = 0
        self._pdv_left = 0

    def spans(self, run: memoryview, lead: int = 0) -> Iterator[memoryview]:
        """The payload of the next run, piece by piece; `lead` is its Data event's. Runs come in order, each taken to its end."""
        pos, end = 0, len(run)
        if lead:
            self._pdu_left = lead
        while pos < end:
            if self._pdv_left:
                size = min(self._pdv_left, end - pos)
                self._pdv_left -= size
                self._pdu_left -= size
                pos += size
                yield run[pos - size : pos]
            elif self._pdu_left:
                self._pdv_left = _PDV.unpack_from(run, pos)[0] - 2
                self._pdu_left -= 6
                pos += 6
            else:
                self._pdu_left = _PDU.unpack_from(run, pos)[1]
                pos += 6


class Reframe:
    """One data set's runs again, with PDU and PDV headers of our own for a smaller maximum; payload is not copied.

    An odd byte at the end of a run is kept for the next, so that fragments stay even (PS3.8 §E.1).
    """

    __slots__ = ("_context_id", "_odd", "_payload", "_room")

    def __init__(self, context_id: int, maximum: int) -> None:
        """`maximum`: the receiver's, at least 8."""
        self._context_id = context_id
        self._room = payload_room(maximum)
        self._payload = Payload()
        self._odd = b""

    def run(self, run: memoryview, lead: int = 0, last: bool = False) -> Iterator[Buffer]:
        """Headers and views to send in order for a Data event's run, its `lead` and `last`; the views are of `run`."""
        parts: list[Buffer] = [self._odd] if self._odd else []
        size = len(parts)
        self._odd = b""
        for span in self._payload.spans(run, lead):
            while span:
                if size == self._room:
                    yield _headers(self._context_id, size, 0)
                    yield from parts
                    parts, size = [], 0
                piece = span[: self._room - size]
                parts.append(piece)
                size += len(piece)
                span = span[len(piece) :]
        if size & 1 and not last:
            tail = parts[-1]
            self._odd = bytes(tail[-1:])
            parts[-1] = tail[:-1]
            size -= 1
        if size or last:
            yield _headers(self._context_id, size, LAST if last else 0)
            yield from (part for part in parts if len(part))


def _headers(context_id: int, size: int, control: int) -> bytes:
    return _BOTH.pack(P_DATA, size + 6, size + 2, context_id, control)
