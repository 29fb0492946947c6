"""Globs: what they fit, and that hostile values cost no more than their length."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.config.glob import fits, fits_value


def by_expression(pattern: str, text: str) -> bool:
    """The same by a regular expression: right, but not safe on hostile values."""
    translated = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(translated, text, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("pattern", "text", "fit"),
    [
        ("MG", "MG", True),
        ("MG", "mg", False),
        ("MG", "MG ", False),
        ("MR*", "MR", True),
        ("MR*", "MR\n1", True),
        ("*1", "CT1", True),
        ("A*A", "A", False),
        ("A*A", "AA", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("C?", "CT", True),
        ("C?", "C", False),
        ("*?", "", False),
        ("*?x*", "xx", True),
        ("*", "", True),
        ("**", "anything", True),
        ("", "", True),
        ("", "x", False),
        ("[CM]R", "CR", False),
        ("[CM]R", "[CM]R", True),
        ("a.c", "abc", False),
        ("?", "ÿ", True),
    ],
)
def test_a_glob_fits_whole_values_by_case(pattern: str, text: str, fit: bool) -> None:
    assert fits(pattern, text) == fit


PATTERNS = st.text(alphabet="ab*?", max_size=8)
TEXTS = st.text(alphabet="ab\n\\", max_size=10)


@given(PATTERNS, TEXTS)
def test_globs_mean_what_an_expression_would_and_what_the_document_says(pattern: str, text: str) -> None:
    assert fits(pattern, text) == by_expression(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "fit"),
    [
        ("ORIGINAL\\PRIMARY\\AXIAL", True),
        ("ORIGINAL\\PRIMARY*", True),
        ("PRIMARY", True),
        ("AX*", True),
        ("ORIGINAL", True),
        ("RIMARY", False),
        ("DERIVED", False),
        ("*", True),
    ],
)
def test_a_glob_fits_a_value_or_one_of_its_components(pattern: str, fit: bool) -> None:
    assert fits_value(pattern, "ORIGINAL\\PRIMARY\\AXIAL") is fit


def test_spaces_around_a_component_are_padding() -> None:
    assert fits_value("PRIMARY", "ORIGINAL\\ PRIMARY \\AXIAL")
    assert not fits_value("ORIGINAL\\PRIMARY*", "ORIGINAL\\ PRIMARY \\AXIAL")


@given(PATTERNS, TEXTS)
def test_components_are_tried_one_by_one(pattern: str, text: str) -> None:
    assert fits_value(pattern, text) == (by_expression(pattern, text) or any(by_expression(pattern, part) for part in text.split("\\")))


class Counting(str):
    """Text that counts how often a character of it is looked at."""

    looks = 0

    def __getitem__(self, at):  # type: ignore[no-untyped-def, override]
        Counting.looks += 1
        return super().__getitem__(at)


@pytest.mark.parametrize("pattern", ["*a?a?a?a?b*", "*a?b*a?b*a?b*c", "*?*?*?*?*b", "a?*a?*a?*b"])
def test_a_hostile_value_is_looked_at_once(pattern: str) -> None:
    Counting.looks = 0
    assert not fits(pattern, Counting("a" * 20_000))
    assert Counting.looks <= 20_000 + 10 * len(pattern)
