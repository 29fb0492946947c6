"""The classes of C-STORE statuses against PS3.4 table B.2-1, dicom.md §5 and pynetdicom's dictionary."""

from __future__ import annotations

import pytest
from pynetdicom.status import GENERAL_STATUS, STORAGE_SERVICE_CLASS_STATUS

from gurney.balance import policy
from gurney.wire.dicom import statuses


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("success", [0x0000]),
        ("warning", [0xB000, 0xB006, 0xB007, 0xB001, 0xBFFF]),
        ("full", [0xA700, 0xA701, 0xA7FF]),
        ("object-fault", [0xA900, 0xA9FF, 0xC000, 0xC123, 0xCFFF]),
        ("pair-refused", [0x0122]),
        ("member-fault", [0x0110]),
        ("duplicate", [0x0111]),
        ("refused", [0x0124, 0x0117, 0x0210, 0x0211, 0x0212, 0x0213]),
        ("unknown", [0x0001, 0x0107, 0xA800, 0xA600, 0xD000, 0xFE00, 0xFF00, 0xFF01, 0xFFFF, 0x0002]),
    ],
)
def test_dicom_md_5(word: str, codes: list[int]) -> None:
    assert {statuses.classify(code) for code in codes} == {word}


def test_only_success_and_warnings_mean_stored() -> None:
    stored = {code for code in range(0x10000) if statuses.is_stored(code)}
    assert stored == {0x0000, *range(0xB000, 0xC000)}


def test_every_code_has_a_class_with_a_meaning() -> None:
    assert {statuses.classify(code) for code in range(0x10000)} == set(statuses.CLASSES)
    assert {row.word for row in statuses.ROWS} | {statuses.UNKNOWN.word} == set(statuses.CLASSES)


def test_rows_say_what_their_pattern_says() -> None:
    for row in statuses.ROWS:
        assert (int(row.pattern.replace("x", "0"), 16), int(row.pattern.replace("x", "F"), 16)) == (row.first, row.last)
        assert statuses.row_of(row.first).word == row.word and row.meaning
    assert len({row.pattern for row in statuses.ROWS}) == len(statuses.ROWS)


def test_pynetdicoms_dictionary_agrees() -> None:
    kind = {
        "Success": {"success"},
        "Warning": {"warning", "unknown"},  # 0107 and 0116 are warnings of N-services only
        "Cancel": {"unknown"},  # no C-STORE is cancelled
        "Failure": {"full", "object-fault", "pair-refused", "member-fault", "duplicate", "refused"},
    }
    for code, (category, _) in STORAGE_SERVICE_CLASS_STATUS.items():
        assert statuses.classify(code) in kind[category], hex(code)
    for code, (category, _) in GENERAL_STATUS.items():
        if category in kind and code < 0x1000:
            assert statuses.classify(code) in kind[category] | {"unknown"}, hex(code)


def test_the_policy_acts_on_the_class_of_every_code() -> None:
    """`balance.policy` has its own table of what to do; it must not take a code for another class than this one."""
    acts = {
        "success": "done",
        "warning": "warn",
        "full": "next-repin",
        "object-fault": "final",
        "pair-refused": "next",
        "member-fault": "again",
        "duplicate": "final",
        "refused": "final",
        "unknown": "final",
    }
    assert acts.keys() == statuses.CLASSES.keys()
    for code in range(0x10000):
        action = policy.act({}, code, ambiguous_before=False, member_attempts=1)
        word = statuses.classify(code)
        assert (action.word, action.condition is not None) == (acts[word], word in ("refused", "unknown")), hex(code)
