"""Every malformed input of dicom.md §8, lists 1 to 3, from both sides and at every cut: the exact answer, and memory that stays."""

from __future__ import annotations

import tracemalloc

import pytest

from gurney.wire.dicom import events, pdu
from tests.wire.malformed.upper_layer import CASES, Case
from tests.wire.tape import Caller, accepted, accepting, dialled

SIDES = {"connected": (accepting,), "open": (accepted, dialled)}
BOTH = [(case, side) for case in CASES for side in SIDES[case.when]]


def given_to(case: Case, caller: Caller, cuts: tuple[int, ...] = ()) -> Caller:
    """The caller after the case; `sent` and `trace` from here on."""
    caller.trace.clear()
    caller.sent.clear()
    caller.feed_cut(case.data, cuts)
    return caller


@pytest.mark.parametrize(("case", "side"), BOTH, ids=lambda value: value.name if isinstance(value, Case) else value.__name__)
def test_the_exact_answer(case: Case, side: type[Caller]) -> None:
    caller = given_to(case, side())
    aborts = [entry for entry in caller.trace if isinstance(entry, events.Aborted)]
    if case.answer is None:
        assert (aborts, caller.upper.state) == ([], 6)
        return
    assert bytes(caller.sent[: len(case.answer)]) == case.answer
    assert caller.upper.state == 13
    if case.answer[0] == pdu.TYPE_ABORT:
        assert aborts == [events.Aborted(case.answer[8], case.answer[9], False, case.why)]
    # whatever else such a peer says: at most one more word from us, then it is over
    caller.feed(case.data * 3)
    assert len(caller.sent) <= len(case.answer) + 10
    caller.upper.tick(caller.upper.deadline or 0.0)
    caller.look(b"")
    assert caller.trace[-2:] == [events.Close(), events.Closed(case.answer[0] == pdu.TYPE_RJ)]


@pytest.mark.parametrize(("case", "side"), BOTH, ids=lambda value: value.name if isinstance(value, Case) else value.__name__)
def test_the_same_at_every_cut(case: Case, side: type[Caller]) -> None:
    whole = given_to(case, side())
    step = max(1, len(case.data) // 50) if len(case.data) > 20_000 else max(1, len(case.data) // 150)
    for cut in range(1, len(case.data), step):
        assert given_to(case, side(), (cut,)).seen() == whole.seen()
    if len(case.data) < 2000:
        assert given_to(case, side(), tuple(range(1, len(case.data)))).seen() == whole.seen()


def test_no_case_leaves_memory_behind() -> None:
    tracemalloc.start()
    peak = 0
    for case, side in BOTH:
        caller = side()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        caller.upper.receive(case.data, 0, len(case.data), 0.0)
        peak = max(peak, tracemalloc.get_traced_memory()[1] - before - 2 * min(len(case.data), 262144))
    tracemalloc.stop()
    print(f"malformed cases={len(BOTH)} peak_kib={peak // 1024}")
    assert peak < 2**21
