"""The head walker against pydicom on every public sample file, and on 50,000 damaged ones by a seeded mutator."""

from __future__ import annotations

import itertools
import logging
import random
import warnings
from collections import Counter
from collections.abc import Iterator

import pytest

from gurney.wire.dicom.head import CAP, VALUE, Head
from tests.wire import corpus
from tests.wire.corpus import Sample
from tests.wire.writer import DEFLATED, STUDY, Wanted, want

FACTS = want(
    *(0x00080005, 0x00080008, 0x00080020, 0x00080050, 0x00080060, 0x00080070, 0x00080080, 0x00081010, 0x00081030, 0x0008103E),
    *(0x00100020, 0x00100021, 0x00180015, 0x00181030, STUDY, 0x0020000E),
)
"""dicom.md §3, plus Specific Character Set."""
ORACLE_EVERY = 5  # every so many mutants are read by pydicom too


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


def mutants(count: int) -> Iterator[tuple[str, bytes]]:
    """(transfer syntax, data set): bytes changed, removed, put in, cut off, lengths made extreme; the same ones every time."""
    random_ = random.Random(count)
    sources = [sample for sample in corpus.samples() if len(sample.data) > 100]
    extremes = (
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\xff\xff",
        b"\xfe\xff\x00\xe0",
        b"\xfe\xff\x0d\xe0",
        b"\xfe\xff\xdd\xe0",
        b"SQ",
        b"UN\0\0",
    )
    for _ in range(count):
        sample = random_.choice(sources)
        data = bytearray(sample.data[:2500])
        for _ in range(random_.randint(1, 3)):
            at = random_.randrange(min(len(data), 1500) or 1)
            match random_.randrange(5):
                case 0:
                    data[at : at + 1] = random_.randbytes(1)
                case 1:
                    del data[at : at + random_.randint(1, 8)]
                case 2:
                    data[at:at] = random_.randbytes(random_.randint(1, 8))
                case 3:
                    extreme = random_.choice(extremes)
                    data[at : at + len(extreme)] = extreme
                case _:
                    data[at:at] = data[at - random_.randint(1, 40) : at]
        yield sample.transfer_syntax, bytes(data)


def expected(syntax: str, data: bytes) -> dict[int, bytes] | None:
    """What the walker may say of a damaged data set: pydicom's values up to where the walker stops; None where pydicom gives up.

    The walker stops past the last wanted tag, or, once the order is broken, when it has all.
    """
    found: dict[int, bytes] = {}
    before, ordered = -1, True
    try:
        for tag, value in corpus.elements(data, syntax):
            if ordered and tag > FACTS.last:
                return found
            ordered = ordered and tag >= before
            before = tag
            if tag in FACTS.tags and value is not None:
                found.setdefault(tag, value)
            if not ordered and len(found) == len(FACTS.tags):
                return found
    except Exception:
        return None
    return found


@pytest.mark.parametrize("count", [50_000, pytest.param(500_000, marks=pytest.mark.chaos)])
def test_damaged_data_sets_are_read_alike_however_cut_and_never_to_another_value(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[str] = Counter()
    cutter = random.Random(7)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, (syntax, data) in enumerate(mutants(count)):
                walker = walked(syntax, data, FACTS)
                assert outcome(walker) == outcome(walked(syntax, data, FACTS, cutter.randint(0, min(len(data), 1600))))
                counts["unreadable" if walker.unreadable else "readable"] += 1
                if walker.unreadable is None and number % ORACLE_EVERY == 0:
                    oracle = expected(syntax, data)
                    counts["compared"] += oracle is not None
                    counts["another_value"] += oracle is not None and oracle != walker.values
    finally:
        logging.disable(logging.NOTSET)
    with capsys.disabled():
        print("\ntest_head_mutants:", *(f"{word}={counts[word]}" for word in ("readable", "unreadable", "compared", "another_value")))
    assert counts["another_value"] == 0
    assert counts["readable"] > 10_000 and counts["unreadable"] > 10_000 and counts["compared"] > 2_000
