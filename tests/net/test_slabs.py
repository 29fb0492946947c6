"""Receive memory: one budget, reused slabs, who found none is told; under pressure they are small."""

from __future__ import annotations

from gurney.net.slabs import KEPT, SLAB, SMALL, SPARE, Slab, Slabs


def taken(slabs: Slabs) -> list[Slab]:
    """All there is."""
    found = []
    while (slab := slabs.lease()) is not None:
        found.append(slab)
    return found


def test_budget_and_reuse() -> None:
    slabs = Slabs(budget=4 * SLAB)
    first, second, *rest = taken(slabs)
    assert slabs.leased == 4 * SLAB
    told: list[str] = []
    slabs.when_free(lambda: told.append("a"))
    slabs.when_free(lambda: told.append("b"))
    for slab in rest:
        slab.give_back()
    assert told == ["a", "b"] and slabs.leased == 2 * SLAB
    first.fill = 7
    first.give_back()
    again = slabs.lease()
    assert again is first and again.fill == 0
    second.give_back()
    assert slabs.leased == SLAB


def test_over_half_of_the_budget_slabs_are_small() -> None:
    """Those who hold memory for long then hold little of it: nobody is left without for their sake."""
    slabs = Slabs(budget=64 * SLAB)
    sizes = [slab.size for slab in taken(slabs)]
    assert sizes == [SLAB] * 32 + [SMALL] * (32 * SLAB // SMALL)
    assert all(len(slab.view) == slab.size for slab in taken(Slabs(budget=2 * SLAB)))


def test_a_slab_is_back_when_its_last_holder_lets_go() -> None:
    slabs = Slabs(budget=2 * SLAB)
    slab, *rest = taken(slabs)
    slab.holders += 2
    slab.give_back()
    slab.give_back()
    assert slabs.leased == 2 * SLAB and slabs.lease() is None
    slab.give_back()
    assert slabs.leased == SLAB
    for one in rest:
        one.give_back()
    assert slabs.leased == 0 and slabs.lease() is slab


def test_who_waits_is_told_once_and_who_left_is_not() -> None:
    slabs = Slabs(budget=2 * SLAB)
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


def test_between_messages_there_is_memory_when_objects_hold_all_of_it() -> None:
    """Beyond the budget, and bounded too: what is spare is for requests, not for objects."""
    slabs = Slabs(budget=2 * SLAB)
    taken(slabs)
    spare = []
    while (slab := slabs.lease(between=True)) is not None:
        spare.append(slab)
    assert len(spare) * SMALL == SPARE
    assert slabs.lease() is None and not slabs.short
    slabs.when_free(lambda: None)
    assert slabs.short


def test_memory_nobody_needs_goes_back() -> None:
    """What flows keeps its slabs; what was not needed between two looks goes, but for a base."""
    slabs = Slabs(budget=256 * SLAB)
    held = [slab for slab in (slabs.lease() for _ in range(64)) if slab is not None]
    for slab in held:
        slab.give_back()
    slabs.rest()
    assert len(slabs._free[SLAB]) == 64  # all of them were needed a moment ago
    again = [slab for slab in (slabs.lease() for _ in range(40)) if slab is not None]
    for slab in again:
        slab.give_back()
    slabs.rest()
    assert len(slabs._free[SLAB]) == 40
    slabs.rest()
    assert len(slabs._free[SLAB]) == KEPT // SLAB
    slabs.rest()
    assert len(slabs._free[SLAB]) == KEPT // SLAB
