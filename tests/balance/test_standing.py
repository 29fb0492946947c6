"""Failures and slowness become a penalty that fades."""

from __future__ import annotations

import pytest

from gurney.balance.standing import Standing


def test_a_failure_weighs_and_fades() -> None:
    standing = Standing()
    assert standing.penalty(0.0, None) == 0.0
    standing.failed(0.0)
    assert standing.penalty(0.0, None) == pytest.approx(4.0)
    assert standing.penalty(10.0, None) == pytest.approx(2.0)
    standing.failed(10.0)
    assert standing.penalty(10.0, None) == pytest.approx(6.0)
    assert standing.penalty(200.0, None) == 0.0


def test_slowness_counts_against_the_fastest_up_to_a_bound() -> None:
    slow, fast = Standing(), Standing()
    for _ in range(60):
        slow.answered(0.3)
        fast.answered(0.1)
    fastest = fast.answer_seconds
    assert slow.penalty(0.0, fastest) == pytest.approx(2.0)
    assert fast.penalty(0.0, fastest) == 0.0
    slow.answered(1_000.0)
    assert slow.penalty(0.0, fastest) == 16.0


def test_a_member_nobody_has_heard_of_has_no_penalty() -> None:
    assert Standing().penalty(0.0, 0.1) == 0.0
    assert Standing().penalty(0.0, 0.0) == 0.0
