"""The head walker against pydicom on every public sample file."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter

import pytest

from gurney.wire.dicom.head import CAP, VALUE, Head
from tests.wire import corpus
from tests.wire.corpus import Sample
from tests.wire.fuzz.oracle import FACTS
from tests.wire.writer import DEFLATED, STUDY, Wanted, want


def walked(syntax: str, data: bytes, wanted: Wanted, *cuts: int) -> Head:
    walker = Head(syntax, wanted)
    for start, end in itertools.pairwise([0, *cuts, len(data)]):
        walker.feed(memoryview(data)[start:end])
    walker.finish()
    return walker


def outcome(walker: Head) -> tuple[object, ...]:
    return walker.unreadable, walker.values, walker.private, walker.unordered


def differs(walker: Head, sample: Sample, wanted: Wanted) -> list[int]:
    return [tag for tag in wanted.tags if walker.unreadable is None and walker.values.get(tag) != sample.values.get(tag)]


def test_dicom_21_every_sample_gives_pydicoms_study_uid_or_is_unreadable(capsys: pytest.CaptureFixture[str]) -> None:
    unreadable: Counter[str] = Counter()
    wrong_key = wrong_fact = with_study = 0
    for sample in corpus.samples():
        walker = walked(sample.transfer_syntax, sample.data, FACTS)
        if walker.unreadable is not None:
            unreadable[walker.unreadable] += 1
            continue
        found = walker.values.get(STUDY)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = sample.whole.get("StudyInstanceUID")  # pydicom's other way of saying it: the file as a whole, parsed to text
        with_study += found is not None
        wrong_key += (None if found is None else found.rstrip(b"\0 ").decode("latin-1")) != (None if told is None else str(told))
        wrong_fact += len(differs(walker, sample, FACTS))
    with capsys.disabled():
        print(
            f"\ntest_dicom_21_pure: samples={len(corpus.samples())} with_study={with_study}"
            f" unreadable={sum(unreadable.values())} wrong_key={wrong_key} wrong_fact={wrong_fact}"
        )
    assert (wrong_key, wrong_fact) == (0, 0)
    assert len(corpus.samples()) >= 250 and with_study >= 230
    assert unreadable == {"not-a-vr": 1}  # SC_rgb_jpeg.dcm: Implicit VR inside, whatever its file meta says


def test_every_value_at_depth_0_of_every_sample_is_pydicoms(capsys: pytest.CaptureFixture[str]) -> None:
    """Not only the facts: all that stands before the pixels, with and without cuts."""
    unreadable: Counter[str] = Counter()
    values = wrong = 0
    for sample in corpus.samples():
        tags = [tag for tag, value in sample.values.items() if tag < 0x7FE00000 and len(value) <= VALUE]
        wanted = want(*tags)
        walker = walked(sample.transfer_syntax, sample.data, wanted)
        cut = walked(sample.transfer_syntax, sample.data, wanted, *range(1, min(len(sample.data), 20_000), 13))
        assert outcome(walker) == outcome(cut), sample.name
        unreadable[walker.unreadable or "none"] += 1
        values += len(walker.values)
        wrong += len(differs(walker, sample, wanted))
    with capsys.disabled():
        print(f"\ntest_head_samples: values={values} wrong={wrong} unreadable={len(corpus.samples()) - unreadable['none']}")
    assert wrong == 0 and values > 10_000
    assert unreadable.total() - unreadable["none"] <= 6


def test_every_byte_split_of_samples_gives_one_decision(capsys: pytest.CaptureFixture[str]) -> None:
    """One sample of each transfer syntax, and those with foreign UIDs or undefined lengths ahead of the Study UID."""
    chosen = {sample.transfer_syntax: sample for sample in corpus.samples() if len(sample.data) > 600}
    named = {sample.name: sample for sample in corpus.samples()}
    picked = [*chosen.values(), named["eCT_Supplemental.dcm"], named["CT_small.dcm"], named["liver_1frame.dcm"]]
    decisions, cuts = 0, 0
    for sample in picked:
        data = sample.data[:CAP] if sample.transfer_syntax == DEFLATED else sample.data[:3000]
        length = min(len(data), 3000)
        seen = {str(outcome(walked(sample.transfer_syntax, data, FACTS, cut))) for cut in range(length)}
        seen.add(str(outcome(walked(sample.transfer_syntax, data, FACTS, *range(1, length)))))
        assert len(seen) == 1, sample.name
        decisions, cuts = decisions + len(seen), cuts + length
    with capsys.disabled():
        print(f"\ntest_dicom_22_samples: files={len(picked)} cuts={cuts} decisions={decisions}")
    assert decisions == len(picked)


def test_most_heads_are_decided_in_the_first_4_kib() -> None:
    decided = sum(Head(sample.transfer_syntax, FACTS).feed(sample.data[:4096]) for sample in corpus.samples())
    assert decided >= 0.95 * len(corpus.samples())
