"""`Inbound.walk` against the slow reference walker: the same numbers for any layout, any lie and any split."""

from __future__ import annotations

import os
import random
import struct
from itertools import chain

import pytest

from gurney.wire.dicom.events import CommandSet, Data, Event
from gurney.wire.dicom.pdv import Inbound, Payload, patch
from tests.wire import reference
from tests.wire.reference import DataSet, Told
from tests.wire.tape import command, item, p_data

STREAMS = {"quick": 300, "chaos": 40_000}.get(os.environ.get("GURNEY_COUNTS", ""), 1_200)  # each walked three times
ACCEPTED = frozenset((1, 3, 255))
NINE = 9  # the context id that is patched in
RELEASE = struct.pack(">BxII", 5, 4, 0)


class Differs(AssertionError):
    """The two walkers tell different things of one stream."""


class Walk:
    """One `Inbound`, given a stream in pieces; what it tells is kept in positions of the stream and held against the reference."""

    def __init__(self, stream: bytes, maximum: int, told: Told) -> None:
        self.stream = stream
        self.told = told
        self.notes: dict[str, None] = {}
        self.inbound = Inbound(maximum, self.notes)
        self.inbound.accepted = ACCEPTED
        self.at = 0  # consumed
        self.commands: list[tuple[int, bytes, bool]] = []
        self.ends: list[int] = []
        self.sets: list[DataSet] = []
        self.payload = Payload()
        self.patched = bytearray()  # all data sets, as they would go on under another context id

    def run(self, cuts: list[int], chance: random.Random) -> None:
        """Offer the stream up to each cut; behind what is offered stand other bytes, as in a buffer used again."""
        for cut in [*cuts, len(self.stream)]:
            front, behind = chance.randrange(3), chance.choice((b"", bytes(16), self.stream[:16], b"\x04\0\0\0\0\x08\0\0\0\x04\x03\x02"))
            buf: bytearray | memoryview = bytearray(front) + self.stream[self.at : cut] + behind
            shift, end = self.at - front, front + cut - self.at
            if chance.random() < 0.5:
                buf = memoryview(buf)
            while self.inbound.fault is None and self._step(buf, shift, end, chance):
                pass
        self._compare()

    def _step(self, buf: bytearray | memoryview, shift: int, end: int, chance: random.Random) -> bool:
        events: list[Event] = []
        start = self.at - shift
        stop = self.inbound.walk(buf, start, end, events)
        if not start <= stop <= end:
            raise self.differs("walked backwards, or past the end")
        self.at = stop + shift
        if [type(event) for event in events] not in ([], [CommandSet], [Data], [CommandSet, Data]):
            raise self.differs("more events than one of each")
        for event in events:
            if isinstance(event, CommandSet):
                self.commands.append((event.context_id, event.data, event.data_set))
            elif isinstance(event, Data):
                self._data(event, buf, shift)
        if self.inbound.ended:
            self.ends.append(self.at)
        return stop > start

    def _data(self, event: Data, buf: bytearray | memoryview, shift: int) -> None:
        start, end = event.start + shift, event.end + shift
        if not self.sets or self.sets[-1].last:
            self.payload = Payload()
            self.sets.append(DataSet(self.commands[-1][0], start, lead=event.lead))
        elif self.sets[-1].end != start or event.lead:
            raise self.differs("a run that does not go on where the last one ended")
        if len(self.sets) > len(self.told.sets):
            raise self.differs("a data set where there is none")
        found, told = self.sets[-1], self.told.sets[len(self.sets) - 1]
        found.end, found.last = end, event.last
        found.ids += [offset + shift for offset in chain.from_iterable(event.context_ids)]
        if end != self.at or start >= end:
            raise self.differs("a run does not end where the walk does")
        payload = b"".join(self.payload.spans(memoryview(buf)[event.start : event.end], event.lead))
        if payload != b"".join(self.stream[first:stop] for first, stop in told.payload_in(start, end)):
            raise self.differs(f"other payload {payload[:200]!r}")
        patched = bytearray(buf)
        patch(patched, event.context_ids, NINE)
        self.patched += patched[event.start : event.end]

    def _compare(self) -> None:
        told, fault = self.told, self.inbound.fault
        if (fault.why if fault else None) not in (told.faults or {None}):
            raise self.differs(f"fault {fault!r}")
        if fault is not None and (fault.reason, self.inbound.skip) != (6, told.skip):
            raise self.differs("another reason or rest of a PDU")
        if (self.at, self.ends, self.commands) != (told.stop, told.ends, told.commands):
            raise self.differs(f"stopped at {self.at}, messages end at {self.ends}, or other commands")
        if set(self.notes) != told.notes:
            raise self.differs(f"other notes {self.notes}")
        mine = [(found.context, found.start, found.end, found.lead, found.ids, found.last) for found in self.sets]
        if mine != [(found.context, found.start, found.end, found.lead, found.ids, found.last) for found in told.sets]:
            raise self.differs(f"other data sets {self.sets}")
        sent = bytearray(self.stream)
        for number in chain.from_iterable(found.ids for found in told.sets):
            sent[number] = NINE
        if self.patched != b"".join(sent[found.start : found.end] for found in told.sets):
            raise self.differs("other bytes after patching")

    def differs(self, what: str) -> Differs:
        """The failure, with all that is needed to see it again."""
        return Differs(f"{what}\nreference: {self.told}\nstream: {self.stream[:2000].hex()}")


# streams by chance


def message(chance: random.Random) -> bytes:
    """One message: any layout that is allowed; equal PDUs in a row often, as real senders write them."""
    context = chance.choice((1, 3, 255))
    has_data = chance.random() < 0.8
    others = chance.choice((0, 2, 9, 40)) if chance.random() < 0.97 else reference.MAX_COMMAND - 18 + chance.randint(-1, 2)
    text = command(chance.choice((0, 1)) if has_data else 0x0101, others)
    pdvs = cut_up(chance, text, 1, context)
    if has_data:
        size = chance.choice((0, 1, 2, 7, 30, 100, 250, 250, 4000))
        pdvs += cut_up(chance, chance.randbytes(size), 0, context)
    pdus: list[list[bytes]] = []
    together = chance.choice((0.0, 0.0, 0.1, 0.5, 0.9))
    for pdv in pdvs:
        if pdus and chance.random() < together:
            pdus[-1].append(pdv)
        else:
            pdus.append([pdv])
    return b"".join(p_data(*pdu) for pdu in pdus)


def cut_up(chance: random.Random, text: bytes, control: int, context: int) -> list[bytes]:
    """PDVs of a text: of one size, or cut anywhere; empty ones and reserved bits here and there."""
    if chance.random() < 0.6:
        step = chance.choice((1, 2, 3, 16, 50, 1000) if len(text) < 5000 else (1000, 4090, 20_000))
        ends = [*range(step, len(text), step), len(text)]
    else:
        ends = [*sorted(chance.randint(0, len(text)) for _ in range(chance.randint(0, 5))), len(text)]
    odd = chance.random() < 0.1
    pdvs = []
    for n, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        junk = chance.choice((0x04, 0x80, 0xFC)) if odd and chance.random() < 0.3 else 0
        pdvs.append(item(text[start:end], control | junk | (2 if n == len(ends) - 1 else 0), context))
    return pdvs


def lied_to(chance: random.Random, stream: bytes) -> bytes:
    """Changes where the headers are: types, lengths, context ids, control bits; a PDU lost, doubled or cut short."""
    data = bytearray(stream)
    for _ in range(chance.randint(1, 2)):
        starts = headers(bytes(data))
        if not starts:
            break
        at = chance.choice(starts)
        match chance.randrange(9):
            case 8:
                lengthen(data, at, chance.randint(1, 7))
            case 0 | 1:
                old = int.from_bytes(data[at : at + 4], "big")
                data[at : at + 4] = struct.pack(
                    ">I", chance.choice((0, 1, 2, 3, old + 1, max(old - 1, 0), old + 6, 0xFFFF, 2**31, 2**32 - 1))
                )
            case 2:
                data[at + 4] = chance.choice((1, 3, 5, 255, 0))
            case 3:
                data[at + 5] ^= chance.choice((1, 2, 3, 4, 0x80))
            case 4:
                lead = at - 6 if at >= 6 else 0
                data[lead : lead + 6] = struct.pack(
                    ">BBI", chance.choice((4, 4, 5, 0)), chance.choice((0, 9)), chance.choice((5, 6, 8, 4096, 2**32 - 1))
                )
            case 5:
                del data[at : at + chance.randint(1, 12)]
            case 6:
                data[at:at] = data[at - 6 : at + chance.randint(0, 60)]
            case _:
                del data[at + chance.randint(0, 14) :]
    return bytes(data)


def lengthen(data: bytearray, pdv: int, size: int) -> None:
    """Bytes that are no PDV at the end of the PDU whose first PDV this is; elsewhere just more bytes."""
    end = pdv + int.from_bytes(data[pdv - 4 : pdv], "big") if pdv >= 6 else len(data)
    if pdv >= 6 and data[pdv - 6] == 4 and end <= len(data):
        data[pdv - 4 : pdv] = struct.pack(">I", end - pdv + size)
        data[end:end] = bytes(size)


def headers(stream: bytes) -> list[int]:
    """Where PDVs begin, as far as the lengths are right."""
    found, at = [], 0
    while at + 12 <= len(stream):
        end = at + 6 + int.from_bytes(stream[at + 2 : at + 6], "big")
        pdv = at + 6
        while pdv + 6 <= min(end, len(stream)):
            found.append(pdv)
            pdv += 4 + max(int.from_bytes(stream[pdv : pdv + 4], "big"), 2)
        at = max(end, at + 6)
    return found


def cuts_of(chance: random.Random, stream: bytes) -> list[int]:
    """Where the bytes are cut: anywhere, around headers, every so many bytes, or not at all."""
    size = len(stream)
    match chance.randrange(5):
        case 0:
            return []
        case 1:
            step = chance.choice((1, 2, 5, 11, 12, 13, 100, 1460))
            return list(range(step, size, step)) if size // step < 400 else []
        case 2:
            near = [at + chance.randint(-7, 7) for at in headers(stream)]
            return sorted(cut for cut in near if 0 < cut < size and chance.random() < 0.5)
        case _:
            return sorted(chance.randint(0, size) for _ in range(chance.randint(1, 8)))


def test_any_stream_at_any_split_is_told_as_by_the_reference() -> None:
    seen = {"messages": 0, "data_sets": 0, "faults": 0}
    words: set[str] = set()
    for seed in range(STREAMS):
        chance = random.Random(seed)
        stream = b"".join(message(chance) for _ in range(chance.randint(1, 4)))
        if chance.random() < 0.5:
            stream = lied_to(chance, stream)
        if chance.random() < 0.2:
            stream += RELEASE
        maximum = chance.choice((8, 64, 262, 16384, 131072, 131072))
        told = reference.tell(stream, ACCEPTED, maximum)
        for _ in range(3):
            try:
                Walk(stream, maximum, told).run(cuts_of(chance, stream), chance)
            except (Differs, IndexError, struct.error) as error:
                pytest.fail(f"seed {seed}, maximum {maximum}: {error!r}")
        seen["messages"] += len(told.ends)
        seen["data_sets"] += len(told.sets)
        seen["faults"] += bool(told.faults)
        words |= told.faults
    print(f"pdv-walker streams={STREAMS} walks={3 * STREAMS} differs=0", *(f"{word}={count}" for word, count in seen.items()))
    assert seen["messages"] > STREAMS and seen["faults"] > STREAMS // 5
    assert words >= {"pdu-over-limit", "pdv-past-its-pdu", "pdv-too-short", "context-not-accepted", "interleaved-messages"}
    assert words >= {"data-before-command", "pdv-after-the-last", "command-over-limit"}


@pytest.mark.parametrize("maximum", [64, 16384, 131072])
@pytest.mark.parametrize("tail", [0, 1, 2])
def test_whole_pdus_of_real_sizes_at_splits_of_real_reads(maximum: int, tail: int) -> None:
    """Data sets as senders write them: equal PDUs up to the maximum and a shorter last one, over reads of a megabyte and less."""
    chance = random.Random(maximum + tail)
    room = maximum - 6
    count = min(40, 3_000_000 // room)
    data = chance.randbytes(room * count + tail)
    pieces = [data[at : at + room] for at in range(0, len(data), room)]
    pdus = [p_data(item(piece, 2 if n == len(pieces) - 1 else 0)) for n, piece in enumerate(pieces)]
    stream = p_data(item(command(), 3)) + b"".join(pdus) + p_data(item(command(), 3)) + pdus[0]
    told = reference.tell(stream, ACCEPTED, maximum)
    assert (len(told.ends), len(told.sets), told.faults) == (1, 2, set())
    for step in (len(stream), 1 << 20, 65536, room + 12, room + 11, 1460):
        Walk(stream, maximum, told).run(list(range(step, len(stream), step)), chance)


def test_every_split_of_a_shared_pdu_and_equal_pdus() -> None:
    """Command and data in one PDU, then equal ones, the last in two PDVs: every one and every pair of neighbouring splits."""
    equal = p_data(item(b"12345678")) * 3
    stream = (
        p_data(item(command(), 3), item(b"ab"), item(b"cdef"))
        + equal
        + p_data(item(b"12345678"), item(b"", 2))
        + p_data(item(command(0x0101), 3))
    )
    told = reference.tell(stream, ACCEPTED, 131072)
    assert (len(told.ends), told.sets[0].lead, told.stop) == (2, 18, len(stream))
    chance = random.Random(1)
    for cut in range(1, len(stream)):
        for gap in (0, 1, 6, 12):
            Walk(stream, 131072, told).run(sorted({cut, min(cut + gap, len(stream) - 1)}), chance)


def test_the_reference_is_told_apart() -> None:
    """The comparison sees one wrong number: a context id one byte off."""
    stream = p_data(item(command(), 3)) + p_data(item(b"xy", 2))
    told = reference.tell(stream, ACCEPTED, 131072)
    told.sets[0].ids[0] += 1
    with pytest.raises(Differs):
        Walk(stream, 131072, told).run([], random.Random(0))
