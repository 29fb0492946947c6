"""Facts: names, where they come from, what the head walker is asked for."""

from __future__ import annotations

import pytest

from gurney.balance import facts
from gurney.config import words
from gurney.errors import InputRefused
from gurney.wire.dicom import command
from gurney.wire.dicom.head import Head
from tests.balance.hospital import member, pool, rule, service


def test_the_facts_are_the_documents_words() -> None:
    assert facts.ASSOCIATION == words.ASSOCIATION_FACTS
    assert facts.COMMAND == words.COMMAND_FACTS
    assert tuple(facts.DATA) == words.DATA_FACTS
    assert facts.FACTS == words.FACTS


def test_facts_of_an_association() -> None:
    assert facts.association("CT1 ", "PACS\0\0", "::ffff:10.0.0.31", "*:11112", "OFFIS_DCMTK_367") == {
        "calling_ae": "CT1",
        "called_ae": "PACS",
        "network": "10.0.0.31",
        "listener": "*:11112",
        "implementation": "OFFIS_DCMTK_367",
    }
    assert "implementation" not in facts.association("CT1", "PACS", "10.0.0.31", "*:11112", "")


def store_request(priority: int = 0) -> command.Command:
    """A C-STORE-RQ written by hand: PS3.7 §9.3.1.1."""
    elements = {
        0x0002: b"1.2.840.10008.5.1.4.1.1.2\0",
        0x0100: b"\1\0",
        0x0110: b"\7\0",
        0x0700: priority.to_bytes(2, "little"),
        0x0800: b"\0\0",
    }
    elements |= {0x1000: b"1.2.3\0", 0x1030: b"MOVER "}
    body = b"".join(b"\0\0" + tag.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value for tag, value in elements.items())
    return command.read(b"\0\0\0\0\4\0\0\0" + len(body).to_bytes(4, "little") + body)


@pytest.mark.parametrize(("number", "word"), [(0, "medium"), (1, "high"), (2, "low")])
def test_facts_of_a_command(number: int, word: str) -> None:
    assert facts.command(store_request(number), "1.2.840.10008.1.2.1") == {
        "request": "store",
        "sop_class": "1.2.840.10008.5.1.4.1.1.2",
        "sop_instance": "1.2.3",
        "priority": word,
        "move_originator": "MOVER",
        "transfer_syntax": "1.2.840.10008.1.2.1",
    }


def test_an_undefined_priority_is_no_fact() -> None:
    assert "priority" not in facts.command(store_request(9), "1.2.840.10008.1.2.1")


@pytest.mark.parametrize(
    ("field", "sop_class", "word"),
    [
        (0x0001, "1.2.840.10008.5.1.4.1.1.2", "store"),
        (0x0030, "1.2.840.10008.1.1", "echo"),
        (0x0020, "1.2.840.10008.5.1.4.1.2.2.1", "find"),
        (0x0020, "1.2.840.10008.5.1.4.31", "worklist"),
        (0x0021, "1.2.840.10008.5.1.4.1.2.2.2", "move"),
        (0x0010, "1.2.840.10008.5.1.4.1.2.2.3", "get"),
        (0x0140, "1.2.840.10008.3.1.2.3.3", "mpps"),
        (0x0130, "1.2.840.10008.1.20.1", "commitment"),
        (0x0140, "1.2.840.10008.5.1.1.1", "print"),
        (0x0130, "1.2.840.10008.5.1.4.34.6.1", "other"),
    ],
)
def test_the_word_for_a_request(field: int, sop_class: str, word: str) -> None:
    assert facts.request(field, sop_class) == word
    assert word in words.REQUESTS + words.REQUESTS_LATER


def test_facts_of_a_data_set_lose_padding_and_emptiness() -> None:
    found = facts.data(
        {
            0x0008_0060: b"MG",
            0x0020_000D: b"1.2.3\0",
            0x0010_0020: b" 42 ",
            0x0008_0050: b"  ",
            0x0008_0008: b"",
            0x0008_1090: b"\xe9clair ",
        },
        {(0x0019, 0x10, "ACME"): b"R2D2", (0x0019, 0x11, "ACME"): b"\0"},
    )
    assert found == {"modality": "MG", "study_uid": "1.2.3", "patient_id": "42", "tag(0008,1090)": "éclair", "tag(0019,xx10,ACME)": "R2D2"}


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("modality", "modality"),
        ("tag(0008,0060)", "modality"),
        ("tag(0008,103e)", "series_description"),
        ("tag(0010,004a)", "tag(0010,004A)"),
        ("tag(0019,xxab,ACME 1.0)", "tag(0019,xxAB,ACME 1.0)"),
    ],
)
def test_a_fact_has_one_name(name: str, one: str) -> None:
    assert facts.canonical(name) == one


@pytest.mark.parametrize(
    "name", ["shoe", "", "Modality", "tag(8,60)", "tag(0008,xx60,ACME)", "tag(0019,1010)", "tag(0019,xx10,)", "tag(0019,xx10,A\\B)"]
)
def test_what_is_no_fact_is_refused(name: str) -> None:
    with pytest.raises(InputRefused):
        facts.canonical(name)


def test_what_is_wanted_is_what_rules_and_keys_need() -> None:
    archive, vna = pool(member("a")), pool(member("b"), name="vna", balance="patient")
    plain = facts.wanted(service(), {"archive": archive, "vna": vna})
    assert (plain.tags, plain.private, plain.last) == (frozenset({0x0020_000D}), (), 0x0020_000D)
    rules = (
        rule("r", {"modality": ("MG",), "calling_ae": ("*",), "tag(0019,xx10,ACME)": ("R*",), "tag(0040,0244)": ("2026*",)}),
        rule("v", to="vna"),
    )
    full = facts.wanted(service(*rules), {"archive": archive, "vna": vna})
    assert full.tags == {0x0020_000D, 0x0008_0060, 0x0040_0244, 0x0010_0020, 0x0010_0021}
    assert full.private == ((0x0019, 0x10, "ACME"),)
    assert full.last == 0x0040_0244


def explicit(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    return group.to_bytes(2, "little") + element.to_bytes(2, "little") + vr + len(value).to_bytes(2, "little") + value


def test_what_the_head_walker_finds_becomes_facts() -> None:
    rules = (rule("r", {"modality": ("MG",), "tag(0019,xx10,ACME)": ("R*",)}),)
    head = Head("1.2.840.10008.1.2.1", facts.wanted(service(*rules), {"archive": pool(member("a"))}))
    head.feed(explicit(8, 0x60, b"CS", b"MG") + explicit(8, 0x70, b"LO", b"X "))
    head.feed(explicit(0x19, 0x10, b"LO", b"ACME") + explicit(0x19, 0x1010, b"LO", b"R2") + explicit(0x20, 0xD, b"UI", b"1.2\0"))
    head.feed(explicit(0x20, 0x10, b"SH", b"1 "))
    assert head.decided and head.unreadable is None
    assert facts.data(head.values, head.private) == {"modality": "MG", "study_uid": "1.2", "tag(0019,xx10,ACME)": "R2"}
