"""Pins in memory: moves, quiet, expiry, split studies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gurney.balance.pins import KEPT, Pins

DAY = 24 * 3600.0


def test_a_pin_is_found_until_a_day_after_its_last_object() -> None:
    pins = Pins()
    pins.set("archive", "r", "a", 0.0)
    pins.touch("archive", "r", 100.0)
    assert pins.get("archive", "r", 100.0 + DAY) == "a"
    assert pins.get("archive", "r", 101.0 + DAY) is None
    assert pins.get("other", "r", 100.0) is None


def test_expiry_forgets_the_old_ones_only() -> None:
    pins = Pins()
    for at in range(5):
        pins.set("archive", str(at), "a", float(at))
    pins.touch("archive", "0", 10.0)
    assert pins.expire(DAY + 3.5) == 3
    assert sorted(ref for _, ref, _ in pins) == ["0", "4"]
    assert len(pins) == 2


def test_a_study_is_split_once_two_members_have_stored_of_it() -> None:
    pins = Pins()
    pins.set("archive", "r", "a", 0.0)
    pins.set("archive", "r", "b", 1.0)  # a died before it stored anything
    pins.touch("archive", "r", 1.0, "b")
    assert pins.split == 0
    pins.touch("archive", "r", 2.0, "c")
    assert pins.split == 1
    assert list(pins.split_studies()) == [("archive", "r", ("b", "c"))]
    assert pins.get("archive", "r", 3.0) == "b"
    pins.expire(2.0 + DAY + 1)
    assert pins.split == 0


def test_a_key_is_quiet_a_minute_after_its_last_object() -> None:
    pins = Pins()
    pins.set("archive", "r", "a", 0.0)
    assert not pins.quiet("archive", "r", 59.0)
    assert pins.quiet("archive", "r", 60.0)
    assert pins.quiet("archive", "unseen", 0.0)


def test_a_pin_set_again_after_a_day_begins_anew() -> None:
    pins = Pins()
    pins.set("archive", "r", "a", 0.0)
    pins.touch("archive", "r", 0.0, "a")
    pins.set("archive", "r", "b", DAY + 1)
    pins.touch("archive", "r", DAY + 1, "b")
    assert pins.split == 0


STEP = st.tuples(st.sampled_from(["set", "touch", "stored"]), st.sampled_from("xyz"), st.sampled_from("ab"), st.floats(0, DAY))


@given(st.lists(STEP, max_size=40))
def test_pins_agree_with_a_plain_dictionary(steps: list[tuple[str, str, str, float]]) -> None:
    pins, now = Pins(), 0.0
    plain: dict[str, tuple[str, float]] = {}
    for word, ref, member, passed in steps:
        now += passed
        if word == "set":
            pins.set("archive", ref, member, now)
            plain[ref] = (member, now)
        else:
            pins.touch("archive", ref, now, member if word == "stored" else None)
            if ref in plain and (ref in {found for _, found, _ in pins}):
                plain[ref] = (plain[ref][0], now)
        for name, (held, last) in plain.items():
            assert pins.get("archive", name, now) == (held if now - last <= KEPT else None)
    pins.expire(now)
    assert len(pins) == sum(now - last <= KEPT for _, last in plain.values())
