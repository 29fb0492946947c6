"""Choosing a member: pins, repins, full and down, overrides, balances, weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.balance.keys import Key
from gurney.balance.members import BALANCES, View, choose, overridden, stays
from gurney.config import words
from gurney.config.document import Pool
from tests.balance.hospital import member, pool, views

STUDIES = 4_000


def study(number: int) -> Key:
    return Key("study", f"2.25.{number * 7919 + 12345678901234567890}")


def placed(held: Pool, count: int = STUDIES) -> dict[int, str | None]:
    seen = views(held)
    return {number: choose(held, study(number), None, seen).member for number in range(count)}


def test_the_balances_are_the_documents_words() -> None:
    assert tuple(BALANCES) == words.BALANCES


def test_dicom_19_four_thousand_studies_spread_evenly_over_four_members() -> None:
    counts = Counter(placed(pool(*[member(name) for name in "abcd"])).values())
    ratio = max(counts.values()) / min(counts.values())
    print(f"dicom-19 studies={STUDIES} members={len(counts)} max_over_min={ratio:.3f}")
    assert len(counts) == 4
    assert ratio <= 1.3


def test_dicom_19_an_added_member_moves_no_study_that_has_begun() -> None:
    before = placed(pool(*[member(name) for name in "abc"]))
    after = pool(*[member(name) for name in "abcd"])
    seen = views(after)
    moved = sum(choose(after, study(number), pin, seen).member != pin for number, pin in before.items())
    new = Counter(choose(after, study(number), None, seen).member for number in range(STUDIES, 2 * STUDIES))
    ratio = max(new.values()) / min(new.values())
    print(f"dicom-19 moved={moved} max_over_min={ratio:.3f}")
    assert moved == 0
    assert ratio <= 1.3


def test_without_pins_a_removed_member_gives_up_only_its_own_keys() -> None:
    before = placed(pool(*[member(name) for name in "abcd"]))
    after = placed(pool(*[member(name) for name in "abd"]))
    assert {before[number] for number in before if before[number] != after[number]} == {"c"}


def test_keys_follow_weights() -> None:
    counts = Counter(placed(pool(member("a", weight=200), member("b"), member("c", weight=50), member("d", override="weight=50"))).values())
    for name, share in {"a": 0.5, "b": 0.25, "c": 0.125, "d": 0.125}.items():
        assert abs(counts[name] / STUDIES - share) < 0.03


def test_placement_is_the_same_on_every_machine() -> None:
    held = pool(*[member(name) for name in "abc"])
    assert [placed(held, 8)[number] for number in range(8)] == ["c", "a", "b", "c", "a", "b", "b", "a"]


@pytest.mark.parametrize("balance", words.BALANCES)
def test_a_pin_wins_whatever_the_balance(balance: str) -> None:
    held = pool(member("a", weight=1), member("b", weight=256), balance=balance)
    busy = View(held.members["a"], operational="full", start=0.1, open=3, queued=50, bytes=1 << 28, penalty=16)
    chosen = choose(held, study(1), "a", views(held, a=busy))
    assert (chosen.member, chosen.repin, chosen.wait) == ("a", False, False)


def test_a_full_member_without_a_slot_is_waited_for() -> None:
    held = pool(member("a"), member("b"))
    full = View(held.members["a"], operational="full", open=1, cap=1)
    chosen = choose(held, study(1), "a", views(held, a=full))
    assert (chosen.member, chosen.repin, chosen.wait) == ("a", False, True)


def test_new_studies_prefer_members_that_are_not_full() -> None:
    held = pool(member("a"), member("b"))
    full = View(held.members["a"], operational="full", open=1, cap=1)
    assert {choose(held, study(number), None, views(held, a=full)).member for number in range(50)} == {"b"}
    both = views(held, a=full, b=replace(full, member=held.members["b"]))
    chosen = choose(held, study(1), None, both)
    assert chosen.member is not None and chosen.wait and not chosen.last_resort


@pytest.mark.parametrize(
    ("changes", "override", "tried", "quiet", "moves"),
    [
        ({"operational": "down"}, None, False, False, True),
        ({}, None, True, False, True),
        ({"operational": "full"}, None, True, False, True),
        ({}, "disable", False, False, True),
        ({}, "drain", False, True, True),
        ({}, "drain", False, False, False),
        ({}, "weight=1", False, False, False),
        ({"start": 0.1}, None, False, False, False),
        ({"operational": "full"}, None, False, False, False),
        ({"takes": None}, None, False, False, False),
        ({}, None, False, True, False),
    ],
)
def test_what_moves_a_pin(changes: dict[str, object], override: str | None, tried: bool, quiet: bool, moves: bool) -> None:
    held = pool(member("a", override=override), member("b"))
    seen = views(held, a=View(held.members["a"], **changes))  # type: ignore[arg-type]
    chosen = choose(held, study(1), "a", seen, frozenset({"a"}) if tried else frozenset(), quiet=quiet)
    assert (chosen.member, chosen.repin) == (("b", True) if moves else ("a", False))


def test_a_removed_member_loses_its_pins() -> None:
    held = pool(member("b"), member("c"))
    chosen = choose(held, study(1), "a", views(held))
    assert chosen.member in ("b", "c") and chosen.repin
    assert "removed" in chosen.reasons["a"]


@pytest.mark.parametrize("balance", words.BALANCES)
def test_a_refused_pair_goes_elsewhere_and_the_pin_stays(balance: str) -> None:
    held = pool(member("a"), member("b"), member("c"), balance=balance)
    seen = views(held, a=View(held.members["a"], takes=False))
    went = {choose(held, study(1), "a", seen, turn=turn).member for turn in range(9)}
    assert len(went) == 1 and "a" not in went  # what does not go to the pin meets at one other member
    chosen = choose(held, study(1), "a", seen, frozenset({"a"}))
    assert not chosen.repin and "refuses the pair" in chosen.reasons["a"]


def test_drained_and_disabled_members_get_nothing_new_even_as_a_last_resort() -> None:
    held = pool(member("a", override="drain"), member("b", override="disable"), member("c"))
    assert {choose(held, study(number), None, views(held)).member for number in range(50)} == {"c"}
    chosen = choose(held, study(1), None, views(held, c=View(held.members["c"], takes=False)))
    assert chosen.member is None
    assert chosen.reasons == {"a": "drains: takes no new studies", "b": "disabled", "c": "refuses the pair"}


def test_a_draining_member_keeps_a_quiet_study_nobody_else_can_take() -> None:
    held = pool(member("a", override="drain"), member("b"))
    seen = views(held, b=View(held.members["b"], operational="down"))
    chosen = choose(held, study(1), "a", seen, quiet=True)
    assert (chosen.member, chosen.repin, chosen.last_resort) == ("a", False, False)


def test_when_every_member_is_out_the_least_bad_is_tried() -> None:
    held = pool(member("a"), member("b"), member("c"))
    down = {name: View(item, operational="down", penalty=4.0) for name, item in held.members.items()}
    down["b"] = replace(down["b"], penalty=1.0)
    chosen = choose(held, study(1), None, down)
    assert (chosen.member, chosen.last_resort) == ("b", True)
    chosen = choose(held, study(1), "c", down)
    assert (chosen.member, chosen.last_resort, chosen.repin) == ("c", True, False)
    assert choose(held, study(1), "c", down, frozenset("abc")).member is None


def test_a_pair_known_to_be_taken_beats_one_not_known() -> None:
    held = pool(member("a"), member("b"))
    seen = views(held, b=View(held.members["b"], takes=True))
    assert {choose(held, study(number), None, seen).member for number in range(50)} == {"b"}


def test_least_load_takes_the_least_loaded_by_weight() -> None:
    held = pool(member("a", weight=100), member("b", weight=50), balance="least-load")
    seen = views(held, a=View(held.members["a"], bytes=3 << 20), b=View(held.members["b"], bytes=2 << 20))
    assert choose(held, study(1), None, seen).member == "a"
    seen = views(held, a=View(held.members["a"], bytes=3 << 20, queued=9), b=View(held.members["b"], bytes=2 << 20))
    assert choose(held, study(1), None, seen).member == "b"


def test_least_load_is_not_attracted_by_a_member_that_fails_fast() -> None:
    held = pool(member("a"), member("b"), balance="least-load")
    seen = views(held, a=View(held.members["a"], penalty=4.0), b=View(held.members["b"], bytes=1 << 20))
    assert choose(held, study(1), None, seen).member == "b"


def test_least_load_spreads_over_idle_members() -> None:
    held = pool(member("a"), member("b"), balance="least-load")
    assert {choose(held, study(number), None, views(held)).member for number in range(20)} == {"a", "b"}


def test_failover_takes_the_first_that_is_up() -> None:
    held = pool(member("z"), member("m"), member("a"), balance="failover")
    assert choose(held, study(1), None, views(held)).member == "z"
    assert choose(held, study(1), None, views(held, z=View(held.members["z"], operational="down"))).member == "m"


def test_round_robin_gives_every_study_a_turn() -> None:
    held = pool(member("a"), member("b"), member("c", weight=50), balance="round-robin")
    turns = [choose(held, study(1), None, views(held), turn=turn).member for turn in range(10)]
    assert Counter(turns) == {"a": 4, "b": 4, "c": 2}


def test_slow_start_holds_back_new_studies_only() -> None:
    held = pool(member("a"), member("b"))
    seen = views(held, a=View(held.members["a"], start=0.1))
    counts = Counter(choose(held, study(number), None, seen).member for number in range(STUDIES))
    assert abs(counts["a"] / STUDIES - 0.1 / 1.1) < 0.03


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["up", "down", "full"]),
            st.sampled_from([None, "drain", "disable", "weight=7"]),
            st.sampled_from([True, False, None]),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(words.BALANCES),
    st.sampled_from([None, "m0", "m1", "gone"]),
    st.sets(st.sampled_from(["m0", "m1", "m2"])),
    st.booleans(),
    st.integers(0, 1000),
)
def test_whatever_the_state_a_choice_is_sound(
    states: list[tuple[str, str | None, bool | None, int]], balance: str, pin: str | None, tried: set[str], quiet: bool, turn: int
) -> None:
    held = pool(*[member(f"m{at}", override=override) for at, (_, override, _, _) in enumerate(states)], balance=balance)
    seen = {f"m{at}": View(held.members[f"m{at}"], word, open=used, cap=2, takes=takes) for at, (word, _, takes, used) in enumerate(states)}
    chosen = choose(held, study(1), pin, seen, frozenset(tried), turn, quiet=quiet, explain=True)
    usable = [
        name
        for name, view in seen.items()
        if name not in tried and view.takes is not False and (held.members[name].override not in ("drain", "disable"))
    ]
    assert set(held.members) <= set(chosen.reasons)
    assert all(chosen.reasons.values())
    if chosen.member is None:
        assert not usable
        return
    view = seen[chosen.member]
    assert chosen.member not in tried
    assert view.takes is not False
    assert view.member.override != "disable"
    assert view.member.override != "drain" or chosen.member == pin
    assert chosen.last_resort == (view.operational == "down")
    assert not chosen.last_resort or all(seen[name].operational == "down" for name in usable)
    assert not chosen.repin or (pin is not None and chosen.member != pin)
    assert chosen.wait == (view.open >= view.cap)
    if pin in seen and not tried and stays(held, pin, seen[pin].operational, seen[pin].takes):
        assert (chosen.member, chosen.repin, chosen.last_resort) == (pin, False, False)  # what is asked first is what is chosen


@pytest.mark.parametrize("word", ["weight=0", "weight=257", "weight=", "weight=+1", "weight=٣", "Drain", "", "weight", "disable "])
def test_an_override_is_a_word_of_the_contract(word: str) -> None:
    with pytest.raises(ValueError):
        overridden(member("a", override=word))
