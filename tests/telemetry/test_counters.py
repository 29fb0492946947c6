"""Counters, rates and refs."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.errors import LocalError
from gurney.telemetry.counters import CELLS_A_NAME, Counters
from gurney.telemetry.names import BY_NAME, METRICS
from gurney.telemetry.rates import Rate
from gurney.telemetry.refs import Refs


def test_names_are_unique_and_said() -> None:
    assert len(BY_NAME) == len(METRICS)
    assert all(metric.means and set(metric.name) <= set(string.ascii_lowercase + "_") for metric in METRICS)
    assert all(metric.name.endswith("_total") == (metric.kind == "counter") for metric in METRICS)


def test_a_cell_is_one_number() -> None:
    counters = Counters()
    cell = counters.cell("gurney_dicom_rejects_total", ("store", "2/3/1"))
    cell.n += 1
    counters.add("gurney_dicom_rejects_total", ("store", "2/3/1"))
    counters.set("gurney_dicom_replay_bytes", (), 7)
    counters.seconds("gurney_dicom_object_seconds", ("store", "wait")).add(0.002)
    shot = counters.snapshot()
    json.dumps(shot)
    assert shot["gurney_dicom_rejects_total"] == [{"labels": {"service": "store", "status": "2/3/1"}, "value": 2}]
    assert shot["gurney_dicom_replay_bytes"] == [{"labels": {}, "value": 7}]
    assert shot["gurney_dicom_object_seconds"][0]["buckets"][:3] == [0, 1, 0]


def test_what_is_not_declared_is_a_defect() -> None:
    counters = Counters()
    for name, labels in (("gurney_unknown", ()), ("gurney_dicom_rejects_total", ("store",)), ("gurney_dicom_queue_seconds", ("p",))):
        with pytest.raises(LocalError):
            counters.cell(name, labels)
    with pytest.raises(LocalError):
        counters.seconds("gurney_dicom_replay_bytes")


def test_labels_are_bounded() -> None:
    counters = Counters()
    for number in range(CELLS_A_NAME + 50):
        counters.add("gurney_dicom_malformed_total", ("store", str(number)))
    shot = counters.snapshot()["gurney_dicom_malformed_total"]
    assert len(shot) == CELLS_A_NAME + 1 and sum(one["value"] for one in shot) == CELLS_A_NAME + 50


def test_what_left_the_document_is_forgotten() -> None:
    counters = Counters()
    counters.add("gurney_dicom_ambiguous_total", ("archive", "a"))
    counters.add("gurney_dicom_ambiguous_total", ("archive", "b"))
    counters.add("gurney_dicom_probes_total", ("store",))
    counters.forget("member", frozenset({"b"}))
    shot = counters.snapshot()
    assert [one["labels"]["member"] for one in shot["gurney_dicom_ambiguous_total"]] == ["b"] and "gurney_dicom_probes_total" in shot


def test_a_rate_slides() -> None:
    rate = Rate(0.0)
    for second in range(20):
        rate.add(second + 0.5, 5)
    assert rate.per_second(19.999) == pytest.approx(5, rel=0.01)
    assert rate.per_second(25.0) == pytest.approx(5 * 4 / 9, rel=0.01)
    assert rate.per_second(29.999) == 0
    assert rate.per_second(1e9) == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5))), st.floats(0, 200))
def test_a_rate_is_never_negative_nor_more_than_was_counted(events: list[tuple[float, int]], now: float) -> None:
    rate = Rate(0.0)
    for at, count in events:
        rate.add(at, count)
    assert 0 <= rate.per_second(now) <= sum(count for _, count in events)


def test_a_young_rate_counts_over_its_life() -> None:
    rate = Rate(1000.0)
    rate.add(1000.5, 10)
    rate.add(1001.5, 10)
    assert rate.per_second(1002.0) == pytest.approx(10)


def test_refs_are_stable_keyed_and_kinds_apart() -> None:
    refs = Refs(b"k" * 32)
    assert refs.ref("study", "1.2.3") == refs.ref("study", b"1.2.3") == Refs(b"k" * 32).ref("study", "1.2.3")
    others = {refs.ref("object", "1.2.3"), refs.ref("study", "1.2.4"), Refs(b"j" * 32).ref("study", "1.2.3")}
    assert len(others) == 3 and refs.ref("study", "1.2.3") not in others
    assert len(refs.ref("study", "")) == 32 and refs.ref("study", "\ud800")
    with pytest.raises(ValueError):
        Refs(b"")
