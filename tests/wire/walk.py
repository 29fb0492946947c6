"""The one place for walking a stream in pieces with `pdv.Inbound` and holding what it tells against the reference walker."""

from __future__ import annotations

import random
from itertools import chain

from gurney.wire.dicom.events import CommandSet, Data, Event
from gurney.wire.dicom.pdv import Inbound, Payload, patch
from tests.wire.reference import DataSet, Told

NINE = 9  # the context id that is patched in


class Differs(AssertionError):
    """The two walkers tell different things of one stream."""


class Walk:
    """One `Inbound`, given a stream in pieces; what it tells is kept in positions of the stream and held against the reference."""

    def __init__(self, stream: bytes, maximum: int, told: Told, accepted: frozenset[int]) -> None:
        self.stream = stream
        self.told = told
        self.notes: dict[str, None] = {}
        self.inbound = Inbound(maximum, self.notes)
        self.inbound.accepted = accepted
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
