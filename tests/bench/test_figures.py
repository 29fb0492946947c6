"""What a figure of the DICOM benchmark is: ratios of neighbours, no number where a round is void."""

from __future__ import annotations

import pytest

from bench.dicom.figures import Cell, Expected, Figure, Result, Void, prove

CELL = Cell(512 << 10, 4, 100)


def figure(rate: float) -> Figure:
    return Figure(rate, rate / 2, 0.5)


def test_a_ratio_is_the_median_of_neighbours_not_the_ratio_of_medians() -> None:
    rounds: list[dict[str, Figure | None]] = [{"a": figure(a), "b": figure(b)} for a, b in ((10, 1), (10, 10), (100, 50))]
    result = Result(CELL, rounds)
    assert result.ratio("a", "b") == 2
    assert (result.median("a", lambda f: f.objects_per_second) or 0) / (result.median("b", lambda f: f.objects_per_second) or 1) == 1


def test_a_slow_path_is_compared_in_the_rounds_it_had() -> None:
    result = Result(CELL, [{"a": figure(4), "b": figure(2)}, {"a": figure(100)}])
    assert result.ratios("a", "b") == [2]
    assert not result.void("b")


def test_a_void_round_leaves_no_number() -> None:
    result = Result(CELL, [{"a": figure(4), "b": figure(2)}, {"a": figure(4), "b": None}])
    assert result.void("b")
    assert result.median("b", lambda f: f.objects_per_second) is None
    assert result.ratio("a", "b") is None


def test_what_a_path_does_not_tell_has_no_median() -> None:
    assert Result(CELL, [{"a": figure(4)}]).median("a", lambda f: f.p99_ms) is None


@pytest.mark.parametrize("spoilt", ["missing", "wrong", "twice"])
def test_one_object_that_is_not_right_voids_the_measurement(spoilt: str) -> None:
    expected = [Expected().of(8192, 0, number) for number in range(3)]
    arrived = {sop: {digest} for sop, digest in expected}
    prove(arrived, expected)
    sop, digest = expected[1]
    if spoilt == "missing":
        del arrived[sop]
    else:
        arrived[sop] = {"0" * 64} if spoilt == "wrong" else {digest, "0" * 64}
    with pytest.raises(Void, match="1 of 3 objects"):
        prove(arrived, expected)


def test_a_path_gets_its_share_of_the_objects_and_at_least_one() -> None:
    assert (CELL.each(1), CELL.each(5), CELL.each(1000)) == (25, 5, 1)
    assert CELL.title == "512 KB x 4, 16 KiB PDUs"
    assert Cell(8192, 1, 10, sender="storescu", nodelay=True).title == "storescu to storescp, 8 KB, TCP_NODELAY=1"
