"""The benchmark's own generator and sink: what they send is DICOM, what arrives is what was sent, and what is spoilt on the way is seen."""

from __future__ import annotations

import hashlib
import io
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import dcmread

from bench.dicom import heads, pair, run, wire
from bench.dicom.figures import Cell, Expected, Void
from bench.dicom.paths import Standing
from bench.dicom.ways import WAYS, Way


@pytest.mark.parametrize("defined", [False, True])
def test_heads_have_their_study_uid_where_real_ones_do(defined: bool) -> None:
    sets = wire.DataSets(8192, defined)
    for number in range(len(heads.ENDS)):
        sop, study = wire.names(3, number)
        read = dcmread(io.BytesIO(pair.file_of(sets, 3, number)))
        assert (read.SOPInstanceUID, read.StudyInstanceUID) == (sop.rstrip(b"\0").decode(), study.rstrip(b"\0").decode())
        head = sets.head(sop, study, number)
        assert len(head) == heads.LENGTH
        assert heads.ENDS[number] <= head.index(study) + len(study) <= heads.ENDS[number] + 24
        assert (b"\xff\xff\xff\xff" in head) == (number in heads.UNDEFINED and not defined)


@pytest.mark.parametrize("maximum", [16384, 131072])
def test_the_wire_image_is_the_data_set_in_pdus(maximum: int) -> None:
    image = wire.Image(wire.DataSets(300_000), maximum)
    sop, study = wire.names(0, 7)
    image.patch(9, sop, study, 7)
    at, whole, last = 0, b"", 0
    while at < len(image.wire):
        kind, length, size, _, control = struct.unpack_from(">BxIIBB", image.wire, at)
        assert kind == 4 and length == size + 4 and length <= maximum and not last & 2
        if control & 1:
            command = wire.values(bytes(image.wire[at + 12 : at + 6 + length]))
        else:
            whole, last = whole + bytes(image.wire[at + 12 : at + 6 + length]), control
        at += 6 + length
    assert last == 2 and hashlib.sha256(whole).hexdigest() == image.sets.digest(sop, study, 7)
    assert (command[0x0110], command[0x1000]) == (b"\x09\0", sop)


def test_an_answer_follows_its_command_whether_it_is_like_the_last_or_not() -> None:
    answers = wire.Answers()
    for message, name, context in ((1, heads.uid(1), 1), (2, heads.uid(2), 1), (3, b"1.2\0", 1), (4, heads.uid(4), 3)):
        fields = [(0x0002, heads.CT), (0x0100, b"\1\0"), (0x0110, struct.pack("<H", message)), (0x0800, b"\1\0"), (0x1000, name)]
        sop, answer = answers.to(wire.command(fields), context)
        said = wire.values(bytes(answer[12:]))
        assert (sop, said[0x0120], said[0x1000], said[0x0900], answer[10]) == (name, struct.pack("<H", message), name, b"\0\0", context)


def test_direct_is_proved() -> None:
    cell = Cell(40_000, 3, 60, warm=2)
    figure = run.measure("direct", cell, Expected())
    assert figure.connections == 3 and figure.pdu == 16384


def test_a_byte_spoilt_on_the_way_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiling(folder: Path, port: int, sink: int) -> Standing:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=_spoil, args=(listener, sink), daemon=True).start()
        return Standing("spoiling", port, last=listener.close)

    monkeypatch.setitem(WAYS, "spoiling", Way(spoiling))
    with pytest.raises(Void, match=r"1 of 6 objects are missing \(0\) or wrong"):
        run.measure("spoiling", Cell(40_000, 1, 5, warm=1), Expected())


def _spoil(listener: socket.socket, sink: int) -> None:
    """Passes bytes on in both directions; the 100,000th from the generator is another one, in the middle of an object's pixels."""
    near = listener.accept()[0]
    with suppress(OSError), near, socket.create_connection(("127.0.0.1", sink)) as far:

        def back() -> None:
            with suppress(OSError):  # the sink ends when the clock has stopped
                while piece := far.recv(65536):
                    near.sendall(piece)

        threading.Thread(target=back, daemon=True).start()
        passed = 0
        while piece := near.recv(65536):
            if passed <= 100_000 < passed + len(piece):
                at = 100_000 - passed
                piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
            passed += len(piece)
            far.sendall(piece)
