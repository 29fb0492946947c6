"""A-ASSOCIATE, A-ABORT: against pynetdicom's and DCMTK's encoders, round trips, and what is refused or tolerated."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import pdu as theirs
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext

from gurney.wire.dicom import items, pdu
from gurney.wire.dicom.items import item
from tests.wire.tape import AC, CAPTURES, CT, IMPLICIT, RQ, VERIFICATION

UIDS = st.lists(st.integers(1, 99999), min_size=2, max_size=8).map(lambda parts: ".".join(map(str, parts)))
TITLES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16)
CONTEXT_IDS = st.integers(0, 127).map(lambda n: 2 * n + 1)
USER = {
    "max_length": st.integers(0, 2**32 - 1),
    "implementation_class": UIDS,
    "implementation_version": TITLES,
    "async_window": st.none() | st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    "roles": st.lists(st.builds(pdu.Role.of, UIDS, st.booleans(), st.booleans()), max_size=3).map(tuple),
    "extended": st.lists(st.builds(pdu.Extended.of, UIDS, st.binary(max_size=9)), max_size=3).map(tuple),
    "common_extended": st.lists(st.builds(pdu.CommonExtended.of, UIDS, UIDS, st.lists(UIDS, max_size=3).map(tuple)), max_size=3).map(tuple),
}
REQUESTS = st.builds(
    pdu.AssociateRQ,
    called_ae=TITLES,
    calling_ae=TITLES,
    contexts=st.lists(
        st.builds(pdu.ContextRQ, CONTEXT_IDS, UIDS, st.lists(UIDS, max_size=4).map(tuple)), max_size=6, unique_by=lambda c: c.id
    ).map(tuple),
    user_identity=st.none() | st.binary(max_size=20).map(lambda text: bytes((1, 0)) + struct.pack(">H", len(text)) + text + b"\0\0"),
    **USER,  # type: ignore[arg-type]
)
ANSWERS = st.builds(
    pdu.AssociateAC,
    ae_bytes=st.binary(min_size=64, max_size=64),
    contexts=st.lists(st.builds(pdu.ContextAC, CONTEXT_IDS, st.integers(0, 4), UIDS), max_size=6, unique_by=lambda c: c.id).map(tuple),
    user_identity=st.none() | st.binary(max_size=20).map(lambda text: struct.pack(">H", len(text)) + text),
    **USER,  # type: ignore[arg-type]
)


def framed(kind: int, body: bytes) -> bytes:
    """A PDU around a body."""
    return struct.pack(">BxI", kind, len(body)) + body


def rq_bytes(*contents: bytes, called: bytes = b"PACS", calling: bytes = b"CT1", version: int = 1) -> bytes:
    """An A-ASSOCIATE-RQ of raw items."""
    return framed(1, struct.pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + bytes(32) + b"".join(contents))


APPLICATION = item(0x10, pdu.APPLICATION_CONTEXT.encode())
CONTEXT = item(0x20, bytes((1, 0, 0, 0)) + item(0x30, CT.encode()) + item(0x40, IMPLICIT.encode()))


@given(REQUESTS)
def test_a_request_comes_back_as_it_was_written(rq: pdu.AssociateRQ) -> None:
    read = pdu.AssociateRQ.decode(rq.encode())
    assert read.ae_bytes == rq.called_ae.ljust(16).encode() + rq.calling_ae.ljust(16).encode() + bytes(32)
    assert replace(read, ae_bytes=b"") == rq
    assert read.encode() == rq.encode()


@given(ANSWERS)
def test_an_answer_comes_back_as_it_was_written(ac: pdu.AssociateAC) -> None:
    assert pdu.AssociateAC.decode(ac.encode()) == ac


@given(REQUESTS)
def test_pynetdicom_reads_our_request(rq: pdu.AssociateRQ) -> None:
    read = theirs.A_ASSOCIATE_RQ()
    read.decode(rq.encode())
    assert (read.called_ae_title.strip(), read.calling_ae_title.strip()) == (rq.called_ae, rq.calling_ae)
    assert [(c.context_id, str(c.abstract_syntax), tuple(map(str, c.transfer_syntax))) for c in read.presentation_context] == [
        (c.id, c.abstract, c.transfers) for c in rq.contexts
    ]
    user = read.user_information
    assert user.maximum_length == rq.max_length
    assert str(user.implementation_class_uid) == rq.implementation_class
    assert user.implementation_version_name == rq.implementation_version
    window = user.async_ops_window
    assert (window and (window.maximum_number_operations_invoked, window.maximum_number_operations_performed)) == rq.async_window
    assert {str(u): (bool(r.scu_role), bool(r.scp_role)) for u, r in user.role_selection.items()} == {
        role.sop_class: (role.scu, role.scp) for role in rq.roles
    }
    assert [(str(e.sop_class_uid), e.service_class_application_information) for e in user.ext_neg or ()] == [
        (e.sop_class, e.information) for e in rq.extended
    ]
    assert [(str(e.sop_class_uid), str(e.service_class_uid)) for e in user.common_ext_neg or ()] == [
        (e.sop_class, e.service_class) for e in rq.common_extended
    ]
    assert (user.user_identity is not None) == (rq.user_identity is not None)


@given(ANSWERS.filter(lambda ac: all(c.result == 0 for c in ac.contexts)))
def test_pynetdicom_reads_our_answer(ac: pdu.AssociateAC) -> None:
    read = theirs.A_ASSOCIATE_AC()
    read.decode(replace(ac, ae_bytes=RQ.encode()[10:74]).encode())
    assert [(c.context_id, c.result, str(c.transfer_syntax)) for c in read.presentation_context] == [
        (c.id, c.result, c.transfer) for c in ac.contexts
    ]
    assert read.user_information.maximum_length == ac.max_length
    assert (read.reserved_aet.strip(), read.reserved_aec.strip()) == ("PACS", "CT1")


def everything() -> theirs.A_ASSOCIATE_RQ:
    """pynetdicom's request with every user item."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = pdu.APPLICATION_CONTEXT
    primitive.calling_ae_title, primitive.called_ae_title = "MODALITY", "ARCHIVE"
    context = PresentationContext()
    context.context_id, context.abstract_syntax, context.transfer_syntax = 7, CT, [IMPLICIT, "1.2.840.10008.1.2.1"]
    primitive.presentation_context_definition_list = [context]
    primitive.presentation_context_definition_results_list = []
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received, implementation.implementation_class_uid = 28672, "1.2.3.4"
    version, window = ImplementationVersionNameNotification(), AsynchronousOperationsWindowNegotiation()
    version.implementation_version_name = "MODALITY_1"
    window.maximum_number_operations_invoked, window.maximum_number_operations_performed = 8, 2
    role, extended, common = SCP_SCU_RoleSelectionNegotiation(), SOPClassExtendedNegotiation(), SOPClassCommonExtendedNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = CT, False, True
    extended.sop_class_uid, extended.service_class_application_information = CT, b"\x02\x00\x03"
    common.sop_class_uid, common.service_class_uid = CT, "1.2.840.10008.4.2"
    common.related_general_sop_class_identification = [VERIFICATION, CT]
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field, identity.secondary_field = 2, b"someone", b"word"
    identity.positive_response_requested = True
    primitive.user_information = [length, implementation, version, window, role, extended, common, identity]
    written = theirs.A_ASSOCIATE_RQ()
    written.from_primitive(primitive)
    return written


def test_we_read_pynetdicoms_request() -> None:
    rq = pdu.decode(everything().encode())
    assert isinstance(rq, pdu.AssociateRQ)
    assert (rq.called_ae, rq.calling_ae, rq.max_length) == ("ARCHIVE", "MODALITY", 28672)
    assert rq.contexts == (pdu.ContextRQ(7, CT, (IMPLICIT, "1.2.840.10008.1.2.1")),)
    assert (rq.implementation_class, rq.implementation_version, rq.async_window) == ("1.2.3.4", "MODALITY_1", (8, 2))
    assert [(role.sop_class, role.scu, role.scp) for role in rq.roles] == [(CT, False, True)]
    assert [(extended.sop_class, extended.information) for extended in rq.extended] == [(CT, b"\x02\x00\x03")]
    assert [(common.sop_class, common.service_class) for common in rq.common_extended] == [(CT, "1.2.840.10008.4.2")]
    assert rq.user_identity == b"\x02\x01\x00\x07someone\x00\x04word"
    assert (rq.unknown, rq.notes) == ((), ())
    assert "someone" not in repr(rq)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.bin")), ids=lambda path: path.name)
def test_what_we_read_of_real_programs_we_write_again(path: Path) -> None:
    recorded = bytearray(path.read_bytes())
    recorded = recorded[: 6 + int.from_bytes(recorded[2:6], "big")]
    message = pdu.decode(bytes(recorded))
    assert isinstance(message, pdu.AssociateRQ | pdu.AssociateAC)
    assert message.notes == ()
    for start, end in contexts_of(recorded):
        recorded[start + 1], recorded[start + 3] = 0, 0  # DCMTK sends FF in a reserved field of the RQ
        if recorded[0] == 1:
            recorded[start + 2] = 0
        assert end > start
    ours = message.encode()
    assert sorted(pieces(ours)) == sorted(pieces(recorded))  # pynetdicom's order of user items is another
    if "pynetdicom" not in path.name:
        assert ours == recorded


def contexts_of(data: bytes | bytearray) -> list[tuple[int, int]]:
    """Where the presentation context items of a PDU are."""
    return [(start, end) for kind, start, end in items.walk(bytes(data), 74, len(data), [9999]) if kind in (0x20, 0x21)]


def pieces(data: bytes | bytearray) -> list[bytes]:
    """The items of a PDU, those of the user information one by one."""
    raw, found = bytes(data), [bytes(data[:74])]
    for kind, start, end in items.walk(raw, 74, len(raw), [9999]):
        if kind == 0x50:
            found += [raw[first - 4 : stop] for _, first, stop in items.walk(raw, start, end, [9999])]
        else:
            found.append(raw[start - 4 : end])
    return found


SHORT_ITEM = item(0x51, b"\0\0\x40\0")
BROKEN = {
    "item-past-its-end": [
        rq_bytes(APPLICATION, CONTEXT[:-1]),
        rq_bytes(APPLICATION, b"\x20\x00\xff\xff\x01\x00\x00\x00"),
        rq_bytes(APPLICATION, item(0x20, bytes((1, 0, 0, 0)) + b"\x30\x00\x00\x09" + b"1.2")),
        rq_bytes(APPLICATION, item(0x20, b"\x01\x00")),
        rq_bytes(APPLICATION, CONTEXT, item(0x50, SHORT_ITEM[:-1])),
        rq_bytes(APPLICATION, CONTEXT, item(0x50, SHORT_ITEM), b"\x00"),
        rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x56, b"\x00\x20" + b"1.2"))),  # shorter than its UID (dicom-rs a606f5e4)
        rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x56, b"\x00"))),
        rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x57, b"\x00\x031.2\x00\x031.2\x00\x09\x00\x031.2"))),
        rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x57, b"\x00\x031.2\x00\x031.2\x00\x04\x00\x031."))),
        rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x58, b"\x01"))),
        rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x58, b"\x01\x00\x00\x10ab"))),
    ],
    "role-past-its-end": [rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x54, b"\x00\x031.2\x01")))],
    "even-context-id": [rq_bytes(APPLICATION, item(0x20, bytes((2, 0, 0, 0)))), rq_bytes(APPLICATION, item(0x20, bytes(4)))],
    "repeated-context-id": [rq_bytes(APPLICATION, CONTEXT, CONTEXT)],
    "wrong-item-length": [
        rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x51, bytes(3)))),
        rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x53, bytes(5)))),
    ],
    "too-many-items": [rq_bytes(*[item(0x99, b"")] * (items.MAX_ITEMS + 1))],
    "wrong-length": [rq_bytes()[:-1], framed(1, bytes(67)), RQ.encode() + b"\0", framed(2, b""), framed(3, b"123"), framed(7, b"12345")],
    "unknown-pdu": [b"", framed(8, bytes(4)), b"GET / HTTP/1.1\r\n\r\n"],
}


@pytest.mark.parametrize(("why", "data"), [(why, data) for why, cases in BROKEN.items() for data in cases])
def test_what_cannot_be_read_is_refused_by_name(why: str, data: bytes) -> None:
    with pytest.raises(pdu.PduFault) as caught:
        pdu.decode(data)
    assert caught.value.why == why
    assert caught.value.reason == (1 if why == "unknown-pdu" else 6)


TOLERATED = {
    "no-maximum-length": rq_bytes(APPLICATION, CONTEXT, item(0x50, b"")),
    "no-implementation-version": rq_bytes(APPLICATION, CONTEXT),
    "ae-title-nul-padded": rq_bytes(APPLICATION, CONTEXT, called=b"PACS".ljust(16, b"\0")),
    "uid-padded": rq_bytes(APPLICATION, item(0x20, bytes((1, 0, 0, 0)) + item(0x30, CT.encode() + b"\0"))),
    "unknown-item": rq_bytes(APPLICATION, CONTEXT, item(0x50, item(0x5A, b"new")), item(0x77, b"newer")),
    "repeated-item": rq_bytes(APPLICATION, APPLICATION, CONTEXT),
    "odd-context-item": rq_bytes(APPLICATION, item(0x20, bytes((1, 0, 0, 0)) + item(0x30, CT.encode()) * 2)),
}


@pytest.mark.parametrize(("word", "data"), TOLERATED.items())
def test_what_is_tolerated_is_noted(word: str, data: bytes) -> None:
    rq = pdu.AssociateRQ.decode(data)
    assert word in rq.notes
    assert rq.called_ae == "PACS"
    assert rq.contexts[0].abstract == CT
    assert pdu.fault(rq) is None


def test_defaults_of_what_is_absent() -> None:
    rq = pdu.AssociateRQ.decode(rq_bytes(APPLICATION))
    assert (rq.max_length, rq.implementation_class, rq.implementation_version, rq.contexts) == (16384, "", "", ())
    unlimited = pdu.AssociateRQ.decode(rq_bytes(APPLICATION, item(0x50, item(0x51, bytes(4)))))
    assert unlimited.max_length == 0


def test_unknown_items_are_carried_through() -> None:
    rq = pdu.AssociateRQ.decode(TOLERATED["unknown-item"])
    assert rq.unknown == (pdu.SubItem(0x5A, b"new"), pdu.SubItem(0x77, b"newer", False))
    assert pdu.AssociateRQ.decode(rq.encode()).unknown == rq.unknown


def test_what_any_requestor_is_rejected_for() -> None:
    assert pdu.fault(RQ) is None
    assert pdu.fault(pdu.AssociateRQ.decode(rq_bytes(APPLICATION, version=2))) == (1, 2, 2)
    assert pdu.fault(pdu.AssociateRQ.decode(rq_bytes(APPLICATION, version=3))) is None  # only bit 0 is tested
    assert pdu.fault(pdu.AssociateRQ.decode(rq_bytes(CONTEXT))) == (1, 1, 2)
    assert pdu.fault(pdu.AssociateRQ.decode(rq_bytes(item(0x10, b"1.2.3")))) == (1, 1, 2)


def test_an_accepted_context_without_transfer_syntax_is_not_usable() -> None:
    written = pdu.AssociateAC(contexts=(pdu.ContextAC(1, 0, IMPLICIT),)).encode()
    start = written.index(item(0x40, IMPLICIT.encode()))
    body = written[6:start] + written[start + 4 + len(IMPLICIT) :]
    body = body.replace(b"\x21\x00\x00\x19", b"\x21\x00\x00\x04")
    ac = pdu.AssociateAC.decode(framed(2, body))
    assert ac.contexts == (pdu.ContextAC(1, 4, ""),)
    assert ac.notes == ("accepted-without-transfer-syntax",)


def test_a_context_nobody_asked_for_is_left_out() -> None:
    ac = pdu.AssociateAC(contexts=(pdu.ContextAC(1, 0, IMPLICIT), pdu.ContextAC(9, 0, IMPLICIT)))
    kept = pdu.only_asked(ac, RQ.contexts)
    assert (kept.contexts, kept.notes) == ((pdu.ContextAC(1, 0, IMPLICIT),), ("context-not-asked",))
    assert pdu.only_asked(AC, RQ.contexts) is AC


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_short_pdus(result: int, source: int, reason: int) -> None:
    assert pdu.decode(pdu.AssociateRJ(result, source, reason).encode()) == pdu.AssociateRJ(result, source, reason)
    assert pdu.decode(pdu.Abort(source, reason).encode()) == pdu.Abort(source, reason)
    reject, abort = theirs.A_ASSOCIATE_RJ(), theirs.A_ABORT_RQ()
    reject.decode(pdu.AssociateRJ(result, source, reason).encode())
    abort.decode(pdu.Abort(source, reason).encode())
    assert (reject.result, reject.source, reject.reason_diagnostic) == (result, source, reason)
    assert (abort.source, abort.reason_diagnostic) == (source, reason)


def test_repeated_uids_cost_no_memory() -> None:
    contexts = tuple(pdu.ContextRQ(2 * n + 1, CT, (IMPLICIT,) * 30) for n in range(128))
    read = pdu.AssociateRQ.decode(pdu.AssociateRQ(contexts=contexts).encode())
    assert read.contexts == contexts
    assert len({id(transfer) for context in read.contexts for transfer in context.transfers}) == 1
