"""Keys: what an object belongs with, also when the fact for it is missing (dicom.md §3)."""

from __future__ import annotations

import pytest

from gurney.balance.keys import Key, key
from tests.balance.hospital import member, pool

GIVEN = {"calling_ae": "CT1", "sop_class": "1.2", "sop_instance": "1.2.9", "study_uid": "1.2.3", "patient_id": "42", "issuer": "HOSP"}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in GIVEN.items() if name not in names}


@pytest.mark.parametrize(
    ("balance", "keep", "given", "readable", "found"),
    [
        ("study", "study", GIVEN, True, Key("study", "1.2.3")),
        ("least-load", "study", GIVEN, True, Key("study", "1.2.3")),
        ("patient", "study", GIVEN, True, Key("patient", "4:HOSP42")),
        ("round-robin", "patient", GIVEN, True, Key("patient", "4:HOSP42")),
        ("patient", "study", without("issuer"), True, Key("patient", "0:42")),
        ("patient", "study", without("patient_id"), True, Key("study", "1.2.3")),
        ("patient", "study", without("patient_id", "study_uid"), True, Key("sop_class", "1.2")),
        ("study", "study", without("study_uid"), True, Key("sop_class", "1.2")),
        ("study", "object", GIVEN, True, Key("object", "1.2.9")),
        ("study", "study", GIVEN, False, Key("calling_ae", "CT1")),
        ("patient", "object", GIVEN, False, Key("calling_ae", "CT1")),
        ("study", "study", {**GIVEN, "study_uid": "../etc/passwd"}, True, Key("study", "../etc/passwd")),
    ],
)
def test_dicom_23_the_key_of_an_object(balance: str, keep: str, given: dict[str, str], readable: bool, found: Key) -> None:
    assert key(pool(member("a"), balance=balance, keep=keep), given, readable) == found


def test_issuer_and_id_are_not_mixed_up() -> None:
    held = pool(member("a"), balance="patient")
    assert key(held, {"issuer": "A", "patient_id": "BC"}) != key(held, {"issuer": "AB", "patient_id": "C"})


def test_single_objects_have_no_pin() -> None:
    assert not Key("object", "1").pinned
    assert all(Key(kind, "1").pinned for kind in ("study", "patient", "sop_class", "calling_ae"))
