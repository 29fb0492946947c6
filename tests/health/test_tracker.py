"""Rise and fall, damping, slow start, full beside down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.config import words
from gurney.config.document import Check
from gurney.health.outcomes import OUTCOMES, rejected
from gurney.health.tracker import Change, Tracker

CHECK = Check("dicom-echo", 2_000, 2_000, 2, 3)
FALLS = [word for word, effect in OUTCOMES.items() if effect.fall]


def test_the_outcomes_are_the_documents_words() -> None:
    assert tuple(OUTCOMES) == words.OUTCOMES


def test_an_outcome_is_good_or_falls_or_is_full_and_never_two() -> None:
    assert all(effect.good + effect.fall + effect.full == 1 for effect in OUTCOMES.values())


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ((2, 1, 1), "rejected-busy"),
        ((2, 3, 1), "rejected-busy"),
        ((2, 3, 2), "rejected-busy"),
        ((1, 1, 3), "rejected-caller"),
        ((1, 1, 7), "rejected-called"),
        ((1, 1, 1), "rejected-other"),
        ((1, 2, 2), "rejected-other"),
        ((9, 9, 9), "rejected-other"),
    ],
)
def test_a_rejection_has_a_word(numbers: tuple[int, int, int], word: str) -> None:
    assert rejected(*numbers) == word


def run(tracker: Tracker, outcomes: list[str], now: float, step: float = 2.0) -> tuple[list[Change], float]:
    changes = []
    for word in outcomes:
        change = tracker.observe(word, now)
        if change is not None:
            changes.append(change)
        now += step
    return changes, now


def down(now: float = 0.0) -> tuple[Tracker, float]:
    tracker = Tracker(CHECK, now)
    changes, now = run(tracker, ["refused"] * 3, now)
    assert [change.after for change in changes] == ["down"]
    return tracker, now


def test_a_member_counts_as_up_until_a_check_says_otherwise() -> None:
    tracker = Tracker(CHECK, 100.0)
    assert (tracker.operational, tracker.first_result_seen, tracker.start(100.0), tracker.next_check(100.0)) == ("up", False, 1.0, 100.0)
    assert tracker.observe("refused", 100.0) is None
    assert tracker.first_result_seen
    assert (tracker.operational, tracker.outcome, tracker.why) == ("up", "refused", "refused, 1 of 3")


@pytest.mark.parametrize("word", FALLS)
def test_fall_bad_outcomes_in_a_row_make_it_down(word: str) -> None:
    tracker = Tracker(CHECK, 0.0)
    changes, _ = run(tracker, [word, word, "ok", word, word], 0.0)
    assert changes == []
    changes, _ = run(tracker, [word], 10.0)
    assert changes == [Change("up", "down", f"{word}, 3 in a row", 10.0)]


def test_a_dead_member_is_out_by_interval_times_fall_plus_timeout() -> None:
    tracker, now, dead_since = Tracker(CHECK, 0.0), 0.0, 0.0
    while tracker.operational == "up":
        now = max(now, tracker.next_check(now))
        tracker.begun(now)
        now += CHECK.timeout_ms / 1000  # each check runs into its timeout
        tracker.observe("answer-timeout", now)
    assert now - dead_since <= (CHECK.interval_ms * CHECK.fall + CHECK.timeout_ms) / 1000


def test_rise_good_outcomes_in_a_row_bring_it_back_slowly() -> None:
    tracker, now = down()
    changes, now = run(tracker, ["ok", "refused", "ok", "slow"], now)
    assert [(change.before, change.after) for change in changes] == [("down", "up")]
    back = changes[0].at
    assert tracker.start(back) == pytest.approx(0.1)
    assert tracker.start(back + 15) == pytest.approx(0.55)
    assert tracker.start(back + 30) == 1.0


def test_flapping_lengthens_the_way_back_up_to_a_bound() -> None:
    tracker, now = Tracker(CHECK, 0.0), 0.0
    needed = []
    for _ in range(6):
        _, now = run(tracker, ["refused"] * 3, now)
        needed.append(tracker.needed(now))
        while tracker.operational == "down":
            _, now = run(tracker, ["ok"], now)
    assert needed == [2, 4, 8, 16, 16, 16]
    _, now = run(tracker, ["refused"] * 3, now + 601)
    assert tracker.needed(now) == 2


def test_busy_is_full_and_never_down() -> None:
    tracker = Tracker(CHECK, 0.0)
    changes, now = run(tracker, ["rejected-busy"] * 50, 0.0)
    assert [(change.before, change.after) for change in changes] == [("up", "full")]
    changes, now = run(tracker, ["ok"], now)
    assert [(change.before, change.after) for change in changes] == [("full", "up")]
    assert tracker.start(now) == 1.0  # it never left: no slow start


def test_no_association_beside_our_own_working_one_is_full_not_down() -> None:
    tracker = Tracker(CHECK, 0.0)
    for second in range(10):
        tracker.observe("answer-timeout", float(second), busy=True)
    assert tracker.operational == "full"
    assert tracker.outcome == "answer-timeout"


def test_busy_does_not_hide_a_member_that_dies() -> None:
    tracker = Tracker(CHECK, 0.0)
    run(tracker, ["rejected-busy", "refused", "refused", "refused"], 0.0)
    assert tracker.operational == "down"


def test_a_down_member_that_is_busy_has_risen_to_full() -> None:
    tracker, now = down()
    changes, _ = run(tracker, ["rejected-busy"] * 2, now)
    assert [change.after for change in changes] == ["full"]


def test_full_by_status_lasts_until_a_check_passes() -> None:
    tracker = Tracker(CHECK, 0.0)
    change = tracker.filled(1.0, "out of resources (A700)")
    assert change == Change("up", "full", "out of resources (A700)", 1.0)
    assert tracker.traffic("ok", 2.0) is None
    assert tracker.operational == "full"
    assert tracker.observe("ok", 3.0) is not None
    assert tracker.operational == "up"


def test_good_traffic_ends_full_after_a_minute() -> None:
    tracker = Tracker(CHECK, 0.0)
    tracker.traffic("rejected-busy", 0.0)
    assert tracker.traffic("ok", 59.0) is None
    change = tracker.traffic("ok", 61.0)
    assert change is not None and change.after == "up"


def test_a_down_member_does_not_become_full_by_a_status() -> None:
    tracker, now = down()
    assert tracker.filled(now, "A700") is None
    assert tracker.operational == "down"


def test_traffic_counts_with_the_same_words() -> None:
    tracker = Tracker(CHECK, 0.0)
    changes = [tracker.traffic("aborted", 0.1 * turn) for turn in range(3)]
    assert changes[:2] == [None, None]
    assert changes[2] is not None and changes[2].after == "down"
    assert not tracker.first_result_seen


def test_a_burst_of_good_traffic_counts_once_an_interval() -> None:
    tracker, now = down()
    for turn in range(100):
        assert tracker.traffic("ok", now + turn * 0.01) is None
    change = tracker.traffic("ok", now + 2.0)
    assert change is not None and change.after == "up"


def test_checks_are_due_an_interval_after_they_began() -> None:
    tracker = Tracker(CHECK, 0.0)
    tracker.begun(0.0)
    tracker.observe("ok", 1.5)
    assert tracker.next_check(1.5) == 2.0
    tracker.use(Check("tcp", 500, 500, 1, 1), 1.6)
    assert tracker.next_check(1.6) == pytest.approx(2.0)
    tracker.use(Check("tcp", 100, 100, 1, 1), 1.6)
    assert tracker.next_check(1.6) == pytest.approx(1.7)


@given(
    st.lists(st.tuples(st.sampled_from(list(OUTCOMES)), st.booleans(), st.floats(0, 700), st.booleans()), max_size=60),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_whatever_is_seen_the_word_is_sound(seen: list[tuple[str, bool, float, bool]], rise: int, fall: int) -> None:
    tracker, now = Tracker(Check("tcp", 1_000, 1_000, rise, fall), 0.0), 0.0
    streak = 0
    for outcome, by_check, step, busy in seen:
        now += step
        before = tracker.operational
        change = (tracker.observe if by_check else tracker.traffic)(outcome, now, busy=busy)
        effect = OUTCOMES["rejected-busy" if busy else outcome]
        streak = streak + 1 if effect.fall else 0
        assert (change is None) == (tracker.operational == before)
        assert change is None or (change.before, change.after) == (before, tracker.operational)
        assert tracker.operational in words.OPERATIONAL
        if tracker.operational == "down" and before != "down":
            assert streak >= fall
        if streak >= fall:
            assert tracker.operational == "down"
        assert 0.1 <= tracker.start(now) <= 1.0
        assert rise <= tracker.needed(now) <= 8 * rise
        assert tracker.why
