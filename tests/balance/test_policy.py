"""Every row of dicom.md §5's status table, and a pool's own rows over it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.balance import policy
from gurney.balance.policy import act
from gurney.config import words
from gurney.wire.dicom import statuses


def test_the_words_are_the_documents() -> None:
    assert tuple(policy.ACTIONS) == words.STATUS_ACTIONS
    assert set(policy.TABLE) == set(statuses.CLASSES)


@pytest.mark.parametrize(
    ("status", "word", "relayed"),
    [
        (0x0000, "done", True),
        (0xB000, "warn", True),
        (0xB006, "warn", True),
        (0xB007, "warn", True),
        (0xB123, "warn", True),
        (0xA700, "next-repin", True),
        (0xA7FF, "next-repin", True),
        (0xA900, "final", True),
        (0xC000, "final", True),
        (0xCFFF, "final", True),
        (0x0122, "next", True),
        (0x0110, "again", True),
        (0x0111, "final", True),
        (0x0124, "final", True),
        (0x0117, "final", True),
        (0x0210, "final", True),
        (0x0213, "final", True),
        (0xFE00, "final", True),
        (0x0001, "final", True),
        (0xA801, "final", True),
    ],
)
def test_dicom_07_what_a_status_means(status: int, word: str, relayed: bool) -> None:
    action = act({}, status)
    assert (action.word, action.relay_status) == (word, relayed)


def test_a_members_fault_is_tried_once_more_there_then_elsewhere() -> None:
    assert [act({}, 0x0110, member_attempts=count).word for count in (1, 2, 3)] == ["again", "next", "next"]
    assert act({}, 0x0110, member_attempts=2).counts_against_member


def test_already_there_after_an_unknown_outcome_means_stored() -> None:
    action = act({}, 0x0111, ambiguous_before=True)
    assert (action.word, action.relay_status) == ("already", False)
    assert act({"0111": "next"}, 0x0111, ambiguous_before=True).word == "already"
    assert act({}, 0x0111, ambiguous_before=False).word == "final"


def test_a_full_member_gets_no_new_studies_a_refused_pair_is_learnt() -> None:
    assert act({}, 0xA700).full and not act({}, 0xA900).full
    assert act({}, 0x0122).capability_refused and not act({}, 0x0122).counts_against_member
    assert act({"0122": "final"}, 0x0122).capability_refused


def test_an_unknown_refusal_raises_a_condition() -> None:
    assert act({}, 0x0124).condition == "status_refused"
    assert act({}, 0xA900).condition is None


@pytest.mark.parametrize(
    ("rows", "status", "word"),
    [
        ({"A9xx": "next"}, 0xA900, "next"),
        ({"A9xx": "next"}, 0xA800, "final"),
        ({"A9xx": "next", "A900": "final"}, 0xA900, "final"),
        ({"A9xx": "next", "A900": "final"}, 0xA901, "next"),
        ({"Cxxx": "again"}, 0xC123, "again"),
        ({"A7xx": "final"}, 0xA700, "final"),
        ({"0124": "next-repin"}, 0x0124, "next-repin"),
    ],
)
def test_a_pools_rows_come_first_and_the_closest_wins(rows: dict[str, str], status: int, word: str) -> None:
    assert act(rows, status).word == word


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("A9xx", True),
        ("0122", True),
        ("Cxxx", True),
        ("A90x", True),
        ("xxxx", False),
        ("a9xx", False),
        ("A9x0", False),
        ("A9", False),
        ("A9xx\n", False),
    ],
)
def test_what_names_a_row(text: str, row: bool) -> None:
    assert policy.is_row(text) is row


@given(st.integers(0, 0xFFFF), st.booleans(), st.integers(1, 5))
def test_every_status_is_decided_and_only_good_ones_count_as_stored(status: int, ambiguous: bool, attempts: int) -> None:
    action = act({}, status, ambiguous_before=ambiguous, member_attempts=attempts)
    stored = action.word in ("done", "warn", "already")
    assert stored == (statuses.is_stored(status) or (status == 0x0111 and ambiguous))
    assert stored == (status == 0 or status >> 12 == 0xB or (status == 0x0111 and ambiguous))
    assert action.word != "again" or attempts == 1
