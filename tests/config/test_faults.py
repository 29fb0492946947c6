"""Faults: how they are said, what is safe to show, what a broken place keeps silent, and the bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.config import limits
from gurney.config.faults import Fault, Faults, printable, shown


def test_a_fault_without_a_hint_is_one_line() -> None:
    assert str(Fault("a.yaml", 3, 7, "warning", "GRN-L005", "no rule leads to pool 'x'")) == (
        "a.yaml:3:7: warning GRN-L005: no rule leads to pool 'x'"
    )


@given(st.text(max_size=200))
def test_what_is_shown_fits_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) <= 10 * limits.SHOWN_CHARACTERS + 1
    assert shown("a" * 100) == f"'{'a' * limits.SHOWN_CHARACTERS}…'"


@pytest.mark.parametrize(
    ("path", "broken"),
    [
        ("a.b", True),  # itself
        ("a", True),  # around it
        ("a.b.c", True),  # inside it
        ("a.b[0].c", True),
        ("a.bc", False),
        ("a.c", False),
        ("b", False),
    ],
)
def test_what_an_error_keeps_silent(path: str, broken: bool) -> None:
    faults = Faults("gurney.yaml")
    faults.breaks("a.b")
    assert faults.is_broken(path) == broken


def test_faults_come_in_the_order_of_the_file_and_warnings_refuse_nothing() -> None:
    faults = Faults("gurney.yaml")
    faults.add((9, 1), "GRN-L005", "late", severity="warning")
    faults.add((2, 5), "GRN-L005", "early", severity="warning")
    assert [fault.message for fault in faults.listed()] == ["early", "late"]
    assert not faults.refused and not faults.is_broken("")
    faults.add((1, 1), "GRN-S001", "first")
    assert faults.refused


def test_a_guess_is_near_and_the_guesses_are_bounded() -> None:
    faults = Faults("gurney.yaml")
    assert faults.guess("ARCHVE", ["breast", "archive"]) == "did you mean 'archive'?"
    assert faults.guess("zebra", ["breast", "archive"]) is None
    assert faults.guess("archve", []) is None
    assert faults.guess("a" * 100, ["a" * 100]) is None
    for _ in range(limits.GUESSES):
        faults.guess("x", ["y"])
    assert faults.guess("archve", ["archive"]) is None


def test_beyond_the_bound_errors_are_counted() -> None:
    faults = Faults("gurney.yaml")
    for line in range(limits.FAULTS_SHOWN + 3):
        faults.add((line + 1, 1), "GRN-S009", "unknown key")
    faults.add((1, 1), "GRN-L005", "a warning is not counted", severity="warning")
    assert faults.listed()[-1].message == "3 more faults are not shown"
    assert len(faults.listed()) == limits.FAULTS_SHOWN + 1
