"""Receive memory: one budget, reused slabs, who found none is told."""

from __future__ import annotations

from gurney.net.slabs import SLAB, Slabs


def test_budget_and_reuse() -> None:
    slabs = Slabs(budget=2 * SLAB)
    first, second = slabs.lease(), slabs.lease()
    assert first is not None and second is not None and slabs.lease() is None
    told: list[str] = []
    slabs.when_free(lambda: told.append("a"))
    slabs.when_free(lambda: told.append("b"))
    first.fill = 7
    slabs.give_back(first)
    assert told == ["a"]
    again = slabs.lease()
    assert again is first and again.fill == 0
    slabs.give_back(second)
    assert told == ["a", "b"] and slabs.leased == SLAB
