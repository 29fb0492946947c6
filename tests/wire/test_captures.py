"""Recorded exchanges of DCMTK and pynetdicom (captures/record.py), replayed to our core on the other side, at every byte split."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from gurney.wire.dicom import events, pdu
from gurney.wire.dicom.upper import Upper
from tests.wire.tape import CAPTURES, Caller

NAMES = sorted(path.name.removesuffix(".dialled.bin") for path in CAPTURES.glob("*.dialled.bin"))


def recorded(name: str, side: str) -> bytes:
    """What one side of an exchange said."""
    return Path(CAPTURES / f"{name}.{side}.bin").read_bytes()


def first(stream: bytes) -> bytes:
    """Its first PDU."""
    return stream[: 6 + int.from_bytes(stream[2:6], "big")]


class Replay:
    """One recorded stream and a fresh caller for it, as often as wanted."""

    def __init__(self, name: str, side: str) -> None:
        self.stream = recorded(name, side)
        self.head = len(first(self.stream))
        self._side = side
        self._rq = pdu.AssociateRQ.decode(first(recorded(name, "dialled")))
        self._ac = pdu.AssociateAC.decode(first(recorded(name, "accepted")))

    def caller(self) -> Caller:
        """Our side. Dialling, it releases at once: answers owed are still taken in Sta7."""
        if self._side == "dialled":
            return Caller(Upper(True, 0.0), accept=self._ac)
        caller = Dialling(Upper(False, 0.0))
        caller.upper.request(self._rq)
        caller.upper.take()
        return caller

    def cuts(self) -> list[int]:
        """Every byte of a short stream; of a long one every byte near a PDU's border and 150 or so elsewhere (chaos: every byte)."""
        size = len(self.stream)
        if size <= 1000 or os.environ.get("GURNEY_COUNTS") == "chaos":
            return list(range(1, size))
        borders, at = [0], 0
        while at < size:
            at += 6 + int.from_bytes(self.stream[at + 2 : at + 6], "big")
            borders.append(at)
        near = {border + n for border in borders for n in range(-3, 16)}
        return sorted(cut for cut in near | set(range(1, size, size // 150 | 1)) if 0 < cut < size)


class Dialling(Caller):
    """Asks for the release as soon as it is accepted."""

    def _see(self, event: events.Event, buf: bytes | bytearray) -> None:
        super()._see(event, buf)
        if isinstance(event, events.Accepted):
            self.upper.release()
            self.upper.take()


@pytest.mark.parametrize("side", ["dialled", "accepted"])
@pytest.mark.parametrize("name", NAMES)
def test_replayed_at_every_byte_split(name: str, side: str) -> None:
    replay = Replay(name, side)
    whole = replay.caller()
    whole.feed(replay.stream)
    ended_well(whole, name)
    for cut in replay.cuts():
        caller = replay.caller()
        caller.feed(replay.stream[:cut])
        caller.feed(replay.stream[cut:])
        assert caller.seen() == whole.seen(), cut
    slow = replay.caller()
    slow.feed_cut(replay.stream, range(1, len(replay.stream)))
    assert slow.seen() == whole.seen()


def ended_well(caller: Caller, name: str) -> None:
    """Whole messages only, and the end that the programs agreed on."""
    assert all(message.whole for message in caller.messages)
    assert not [entry for entry in caller.trace if isinstance(entry, events.Aborted)]
    assert caller.notes == set()
    if caller.upper.accepting:
        released = [entry for entry in caller.trace if isinstance(entry, events.ReleaseRequested)]
        assert len(released) == (name != "getscu-storescp")  # which only opens and closes
    elif name != "getscu-storescp":
        assert caller.trace[-3:] == [events.Released(), events.Close(), events.Closed(True)]


@pytest.mark.parametrize(
    ("name", "files"), [("storescu-storescp", ["MR_small.dcm", "rtplan.dcm"]), ("storescu-pynetdicom", ["rtplan.dcm"])]
)
def test_the_data_sets_are_those_of_the_files(name: str, files: list[str]) -> None:
    replay = Replay(name, "dialled")
    caller = replay.caller()
    caller.feed(replay.stream)
    for message, file in zip(caller.messages, files, strict=True):
        sent = dcmread(get_testdata_file(file))
        assert sent.SOPInstanceUID.encode() in message.command
        assert sent.SOPInstanceUID.encode() in bytes(message.payload)
        assert sent.get("PixelData", b"") in bytes(message.payload)
