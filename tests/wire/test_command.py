"""Command sets: read whole or refused with a reason, patched in two bytes only, answered as PS3.7 says; 50,000 damaged ones."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from gurney.config import limits
from gurney.errors import LocalError
from gurney.wire.dicom import command
from gurney.wire.dicom.command import CommandFault
from tests.wire.writer import command as written
from tests.wire.writer import us

CT = b"1.2.840.10008.5.1.4.1.1.2\0"
INSTANCE = b"1.2.826.0.1.3680043.2.1125.1"
ECHO = b"1.2.840.10008.1.1\0"
VENDOR = ((0x0901, b"\x10\0\x20\0"), (0x0902, b"so so "), (0x0903, us(7)), (0x5011, b"??"))
STORE = (
    (0x0002, CT),
    (0x0100, us(0x0001)),
    (0x0110, us(0x1234)),
    (0x0700, us(1)),
    (0x0800, us(0)),
    (0x1000, INSTANCE),
    (0x1030, b"MOVER "),
    (0x1031, us(9)),
)
STORED = (
    (0x0002, CT),
    (0x0100, us(0x8001)),
    (0x0120, us(0x1234)),
    (0x0800, us(0x0101)),
    (0x0900, us(0xB000)),
    *VENDOR[:3],
    (0x1000, INSTANCE),
)


def without(elements: tuple[tuple[int, bytes], ...], *absent: int) -> bytes:
    return written(*(entry for entry in elements if entry[0] not in absent))


def with_(elements: tuple[tuple[int, bytes], ...], **changed: bytes) -> bytes:
    values = dict(elements) | {int(name[1:], 16): value for name, value in changed.items()}
    return written(*sorted(values.items()))


def by_pydicom(data: bytes) -> Dataset:
    """The command set as pydicom reads it."""
    return dcmread(BytesIO(data), force=True)


def test_a_store_request_is_read_whole() -> None:
    read = command.read(written(*STORE))
    assert (read.field, read.message_id, read.responded_id, read.name) == (command.C_STORE_RQ, 0x1234, None, "C-STORE")
    assert (read.sop_class, read.sop_instance) == ("1.2.840.10008.5.1.4.1.1.2", INSTANCE.decode())
    assert (read.priority, read.data_set, read.status, read.is_response) == (1, True, None, False)
    assert (read.originator, read.originator_id, read.notes) == ("MOVER", 9, ())


def test_a_response_is_read_whole() -> None:
    read = command.read(written(*STORED))
    assert (read.field, read.responded_id, read.status, read.data_set) == (0x8001, 0x1234, 0xB000, False)
    assert (read.is_response, read.name, read.comment) == (True, "C-STORE", "so so")


USUAL_STORE, USUAL_STORED = STORE[:6], (*STORED[:5], (0x1000, INSTANCE))


@given(
    st.sampled_from((USUAL_STORE, USUAL_STORED, STORE, STORED)),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3),
    st.lists(
        st.tuples(st.integers(0, 8), st.sampled_from((b"", b"1.2", b"1.2\0", b"1", bytes(70), b"9" * 300, b"1.2\0\0", b"\x01\x01"))),
        max_size=2,
    ),
)
def test_the_usual_form_is_read_as_every_other(
    elements: tuple[tuple[int, bytes], ...], bytes_changed: list[tuple[int, int]], values: list[tuple[int, bytes]]
) -> None:
    """What is known in one match says the same as what is read element by element, whatever was damaged."""
    parts = [list(entry) for entry in elements]
    for at, value in values:
        parts[at % len(parts)][1] = value
    data = bytearray(written(*((number, value) for number, value in parts)))
    for at, byte in bytes_changed:
        data[at % len(data)] = byte
    quick = command._usual(bytes(data))
    if quick is not None:
        assert quick == command._read(bytes(data))


@pytest.mark.parametrize("elements", [USUAL_STORE, USUAL_STORED])
def test_no_byte_of_the_usual_form_is_overlooked(elements: tuple[tuple[int, bytes], ...]) -> None:
    data = written(*elements)
    for at in range(len(data)):
        for byte in {0, 1, 2, 0x2E, 0x30, 0x80, 0xFF, data[at] ^ 1, data[at] + 1 & 0xFF, data[at] + 2 & 0xFF}:
            changed = data[:at] + bytes((byte,)) + data[at + 1 :]
            quick = command._usual(changed)
            assert quick is None or quick == command._read(changed)


def test_the_usual_form_is_known() -> None:
    for elements in (USUAL_STORE, USUAL_STORED):
        assert command._usual(written(*elements)) == command.read(written(*elements))
        assert command._usual(written(*elements)) is not None


def test_requested_class_and_instance_stand_for_the_affected_ones() -> None:
    """N-SET, N-GET, N-ACTION and N-DELETE name them so (PS3.7 §10.3)."""
    data = written((0x0003, CT), (0x0100, us(command.N_SET_RQ)), (0x0110, us(1)), (0x0800, us(0)), (0x1001, INSTANCE))
    read = command.read(data)
    assert (read.sop_class, read.sop_instance) == (CT.decode().rstrip("\0"), INSTANCE.decode())


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("empty", b""),
        ("over-limit", written(*STORE, (0x5010, bytes(command.LARGEST)))),
        ("wrong-group", written(*STORE, group=8)),
        ("wrong-group", written(*STORE) + b"\x08\x00\x60\x00\x02\x00\x00\x00CT"),
        ("past-end", written(*STORE)[:-1]),
        ("past-end", written(*STORE) + b"\0\0\0"),
        ("past-end", written(*STORE)[:-2] + b"\0\0\x32\x10\xff\xff\xff\xff"),
        ("past-end", written(*STORE) + b"\0\0\x32\x10\xfe\xff\xff\xff"),
        ("bad-length", with_(STORE, x0110=b"\x34\x12\0\0")),
        ("bad-length", with_(STORE, x0110=b"")),
        ("bad-length", with_(STORE, x0700=b"")),
        ("bad-length", with_(STORE, x0800=b"\0")),
        ("bad-length", b"\0\0\0\0\x02\0\0\0\0\0" + written(*STORE, with_length=False)),
        ("repeated", written(*STORE, (0x0110, us(3)))),
        ("group-length", written(*STORE, group_length=1)),
        ("group-length", written(*STORE, group_length=0xFFFFFFFF)),
        ("no-command-field", without(STORE, 0x0100)),
        ("no-message-id", without(STORE, 0x0110)),
        ("no-message-id", with_(STORE, x0110=us(1)).replace(b"\x10\x01\x02\0\0\0", b"\x20\x01\x02\0\0\0")),
        ("no-responded-id", without(STORED, 0x0120)),
        ("no-responded-id", written((0x0100, us(command.C_CANCEL_RQ)), (0x0110, us(1)), (0x0800, us(0x0101)))),
        ("no-data-set-type", without(STORE, 0x0800)),
        ("no-status", without(STORED, 0x0900)),
        ("no-sop-class", without(STORE, 0x0002)),
        ("no-sop-class", with_(STORE, x0002=b"\0\0")),
        ("no-sop-instance", without(STORE, 0x1000)),
        ("no-sop-instance", with_(STORE, x1000=b"  ")),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(reason: str, data: bytes) -> None:
    """dicom.md §8 list 3: lying lengths, no Affected SOP Class, wrong group, wrong group length."""
    with pytest.raises(CommandFault) as fault:
        command.read(data)
    assert fault.value.reason == reason and reason in command.FAULTS
    assert 0 <= fault.value.offset <= command.LARGEST
    with pytest.raises(CommandFault):
        command.with_message_id(data, 1)


def test_the_limit_is_the_one_that_is_documented() -> None:
    assert command.LARGEST == limits.COMMAND_SET
    assert command.read(written(*STORE, (0x5010, bytes(command.LARGEST - len(written(*STORE)) - 8)))).message_id == 0x1234


def test_every_reason_has_a_case() -> None:
    mark = next(mark for mark in test_what_cannot_be_answered_is_refused_with_a_reason.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {case[0] for case in mark.args[1]} == command.FAULTS


@pytest.mark.parametrize(
    ("note", "data"),
    [
        ("no-group-length", written(*STORE, with_length=False)),
        ("unordered", written(*reversed(STORE))),
        ("odd-length", with_(STORE, x1000=INSTANCE[:-1])),
    ],
)
def test_what_is_harmless_is_tolerated_and_noted(note: str, data: bytes) -> None:
    assert command.read(data).notes == (note,)
    assert command.read(command.with_message_id(data, 5)).message_id == 5


def test_priority_may_be_absent_and_message_id_may_be_0() -> None:
    assert command.read(without(STORE, 0x0700)).priority == command.MEDIUM
    assert command.read(with_(STORE, x0110=us(0))).message_id == 0


def test_an_unknown_request_is_read_so_that_it_can_be_answered() -> None:
    read = command.read(written((0x0100, us(0x0666)), (0x0110, us(3)), (0x0800, us(0))))
    assert (read.name, read.data_set) == ("unknown", True)
    answer = command.read(command.response(read, 0x0211, "unrecognised operation"))
    assert (answer.field, answer.responded_id, answer.status, answer.sop_class) == (0x8666, 3, 0x0211, "")


@pytest.mark.parametrize(
    ("elements", "at"),
    [(STORE + VENDOR, 0x0110), (STORED, 0x0120), (((0x0100, us(0x0FFF)), (0x0120, us(8)), (0x0800, us(0x0101))), 0x0120)],
)
@pytest.mark.parametrize("number", [0, 1, 0x1234, 0xFFFF])
def test_a_patched_copy_differs_in_the_two_bytes_of_its_id_only(elements: tuple[tuple[int, bytes], ...], at: int, number: int) -> None:
    """(0000,0901–0903) and what nobody knows survive."""
    data = written(*elements)
    expected = written(*((element, us(number) if element == at else value) for element, value in elements))
    assert command.with_message_id(data, number) == expected == command.read(data).renumbered(number)
    assert data == written(*elements)


@pytest.mark.parametrize("number", [-1, 0x10000])
def test_no_message_id_is_ours_to_avoid(number: int) -> None:
    with pytest.raises(LocalError):
        command.with_message_id(written(*STORE), number)


def test_answers_are_what_pydicom_would_write() -> None:
    request = command.read(written(*STORE))
    for status, comment in ((0x0000, None), (0xA700, "no member of pool archive can take it"), (0xC000, "é\\\n" + "x" * 80)):
        data = command.store_response(request, status, comment)
        theirs = by_pydicom(data)
        assert (theirs.AffectedSOPClassUID, theirs.AffectedSOPInstanceUID) == (request.sop_class, request.sop_instance)
        assert (theirs.CommandField, theirs.MessageIDBeingRespondedTo, theirs.Status) == (0x8001, 0x1234, status)
        assert (theirs.CommandDataSetType, theirs.CommandGroupLength) == (0x0101, len(data) - 12)
        assert len(theirs.get("ErrorComment", "")) <= 64
        again = DicomBytesIO()
        again.is_implicit_VR, again.is_little_endian = True, True
        write_dataset(again, theirs)
        assert again.getvalue() == data
    assert command.read(command.store_response(request, 0xC000, "é\\\n" + "x" * 80)).comment == "???" + "x" * 61


@pytest.mark.parametrize("uid", [b"..", b"../../etc/x\0", b"a\0b", b"1.2\r\nX: y", b"\x1b[2J", b"1." * 33, b"'; drop table--", b"1" * 7000])
def test_hostile_uids_are_kept_as_text_and_answered(uid: bytes) -> None:
    """dicom.md §8 list 5: a UID is never more than a key; the answer names the same one."""
    request = command.read(with_(STORE, x1000=uid))
    assert request.sop_instance == uid.rstrip(b"\0 ").decode("latin-1")
    answer = command.store_response(request, 0)
    assert command.read(answer).sop_instance == request.sop_instance and len(answer) <= command.LARGEST


def test_echo_is_asked_and_answered() -> None:
    asked = command.read(command.echo_request(77))
    assert (asked.name, asked.message_id, asked.data_set, asked.sop_class) == ("C-ECHO", 77, False, ECHO.decode().rstrip("\0"))
    answer = command.read(command.echo_response(asked))
    assert (answer.name, answer.is_response, answer.responded_id, answer.status) == ("C-ECHO", True, 77, 0)
    assert by_pydicom(command.echo_request(77)).CommandField == 0x0030


@pytest.mark.parametrize("field", sorted(set(command.REQUESTS) - {command.C_CANCEL_RQ}))
def test_any_request_can_be_refused(field: int) -> None:
    request = command.read(written((0x0002, CT), (0x0100, us(field)), (0x0110, us(4)), (0x0800, us(0x0101)), (0x1000, INSTANCE)))
    answer = command.read(command.response(request, 0x0211))
    assert (answer.field, answer.responded_id, answer.status, answer.data_set) == (field | 0x8000, 4, 0x0211, False)


def test_what_is_no_request_is_not_answered() -> None:
    store, stored = command.read(written(*STORE)), command.read(written(*STORED))
    for request in (stored, command.read(written((0x0100, us(0x0FFF)), (0x0120, us(8)), (0x0800, us(0x0101))))):
        with pytest.raises(LocalError):
            command.response(request, 0)
    with pytest.raises(LocalError):
        command.echo_response(store)
    with pytest.raises(LocalError):
        command.store_response(command.read(command.echo_request(1)), 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read = command.read(data)
    except CommandFault as fault:
        assert fault.reason in command.FAULTS
    else:
        assert read.data == data


@given(
    st.lists(st.tuples(st.integers(0x2000, 0xFFFF), st.binary(max_size=20)), max_size=6, unique_by=lambda entry: entry[0]),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
)
def test_unknown_elements_survive_patching(unknown: list[tuple[int, bytes]], before: int, after: int) -> None:
    elements = dict(STORE) | {0x0110: us(before)} | dict(unknown)
    data = written(*sorted(elements.items()))
    patched = command.with_message_id(data, after)
    assert command.read(patched).message_id == after
    assert command.with_message_id(patched, before) == data
