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
    first.give_back()
    assert told == ["a"]
    again = slabs.lease()
    assert again is first and again.fill == 0
    second.give_back()
    assert told == ["a", "b"] and slabs.leased == SLAB


def test_a_slab_is_back_when_its_last_holder_lets_go() -> None:
    slabs = Slabs(budget=SLAB)
    slab = slabs.lease()
    assert slab is not None and slab.holders == 1
    slab.holders += 2
    slab.give_back()
    slab.give_back()
    assert slabs.leased == SLAB and slabs.lease() is None
    slab.give_back()
    assert slabs.leased == 0 and slabs.lease() is slab


def test_who_waits_is_told_once_and_who_left_is_not() -> None:
    slabs = Slabs(budget=SLAB)
    told: list[str] = []

    def one() -> None:
        told.append("one")

    def two() -> None:
        told.append("two")

    for callback in (one, two, one):
        slabs.when_free(callback)
    slabs.no_longer(one)
    for _ in range(3):
        slab = slabs.lease()
        assert slab is not None
        slab.give_back()
    assert told == ["two"]
