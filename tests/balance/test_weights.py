"""Weighted turns are fair in every round and spread over it; scores follow weights."""

from __future__ import annotations

from collections import Counter
from math import gcd

from hypothesis import given
from hypothesis import strategies as st

from gurney.balance.weights import score, turn_of


@given(st.lists(st.integers(1, 256), min_size=1, max_size=6))
def test_a_round_gives_everyone_exactly_its_share(weights: list[int]) -> None:
    shares = [weight // gcd(*weights) for weight in weights]
    turns = [turn_of(weights, turn) for turn in range(sum(shares))]
    assert Counter(turns) == dict(enumerate(shares))


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.integers(0, 10_000), st.integers(1, 60))
def test_any_stretch_of_turns_is_close_to_the_shares(weights: list[int], begin: int, length: int) -> None:
    counts = Counter(turn_of(weights, begin + turn) for turn in range(length))
    for index, weight in enumerate(weights):
        assert abs(counts[index] - length * weight / sum(weights)) < len(weights)


def test_equal_weights_take_turns() -> None:
    assert [turn_of([100, 100, 100], turn) for turn in range(6)] == [0, 1, 2, 0, 1, 2]
    assert [turn_of([100, 50], turn) for turn in range(6)] == [0, 1, 0, 0, 1, 0]


@given(st.text(max_size=20), st.floats(0.001, 256), st.text(max_size=64))
def test_a_score_is_positive_and_grows_with_the_weight(name: str, weight: float, value: str) -> None:
    assert 0 < score(name, weight, "study", value) < score(name, weight * 2, "study", value)
