"""The head walker on data sets written by hand: what is found, what is unreadable and why, and that cuts change nothing."""

from __future__ import annotations

import itertools
import tracemalloc
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gurney.config import limits
from gurney.wire.dicom import head, inflate
from gurney.wire.dicom.head import Head
from tests.wire.writer import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    JPEG,
    SERIES,
    STUDY,
    SYNTAXES,
    WRITERS,
    Wanted,
    Writer,
    sent,
    want,
)

UID = b"1.2.826.0.1.3680043.2.1125\0"
UID += b"\0" * (len(UID) % 2)
FOREIGN = b"9.9.9.9.9.9\0"
KEYS = want(0x00080060, 0x00100020, STUDY, SERIES)
PIXELS = 0x7FE00010
little = WRITERS[EXPLICIT_LE]


def read(syntax: str, data: bytes, wanted: Wanted = KEYS, cuts: Iterable[int] = ()) -> Head:
    """Feed `data` cut at these offsets, then end it."""
    walker = Head(syntax, wanted)
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        walker.feed(memoryview(data)[start:end])
    walker.finish()
    assert walker.decided
    assert walker.unreadable in {None, *head.REASONS}
    return walker


def outcome(walker: Head) -> tuple[object, ...]:
    return walker.unreadable, walker.values, walker.private


def ct(writer: Writer, *, before: bytes = b"", study: bytes | None = UID) -> bytes:
    """A small object: `before` stands between modality and patient."""
    return (
        writer.element(0x00080016, b"UI", b"1.2.840.10008.5.1.4.1.1.2\0")
        + writer.element(0x00080060, b"CS", b"CT")
        + before
        + writer.element(0x00100020, b"LO", b"P 1 ")
        + (b"" if study is None else writer.element(STUDY, b"UI", study))
        + writer.element(SERIES, b"UI", UID)
        + writer.element(0x00280010, b"US", b"\0\2")
        + writer.element(PIXELS, b"OW", bytes(64))
    )


FOUND = {0x00080060: b"CT", 0x00100020: b"P 1 ", STUDY: UID, SERIES: UID}


def nested(writer: Writer, depth: int, *, undefined: bool = True) -> bytes:
    """Sequences inside each other, each item holding a foreign Study UID."""
    content = writer.element(STUDY, b"UI", FOREIGN)
    for _ in range(depth):
        content = writer.sequence(0x00081140, [writer.item(content, undefined)], undefined)
    return content


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_depth_0_values_are_found_in_every_transfer_syntax(syntax: str) -> None:
    writer = WRITERS[syntax]
    for undefined in (False, True):
        foreign = writer.element(STUDY, b"UI", FOREIGN) + writer.element(SERIES, b"UI", FOREIGN)
        before = writer.sequence(0x00081140, [writer.item(foreign, undefined), writer.item(foreign)], undefined)
        walker = read(syntax, sent(syntax, ct(writer, before=before)))
        assert (walker.unreadable, walker.values, walker.unordered) == (None, FOUND, False)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_dicom_22_every_cut_of_a_head_gives_one_decision(syntax: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every two-way cut, every byte alone, and every pair of bytes: the same outcome."""
    writer = WRITERS[syntax]
    filler = writer.element(0x00081030, b"LO", b"x" * 40) + writer.element(0x00089123, b"UN", b"y" * 30) + nested(writer, 3)
    data = sent(
        syntax, ct(writer, before=filler + writer.element(0x00090010, b"LO", b"ACME") + writer.element(0x00091001, b"UT", b"z" * 200))
    )
    wanted = want(*KEYS.tags, 0x00081030, private=[(0x0009, 0x01, "ACME")])
    whole = outcome(read(syntax, data, wanted))
    assert whole[0] is None
    seen = {str(outcome(read(syntax, data, wanted, [cut]))) for cut in range(len(data))}
    seen |= {str(outcome(read(syntax, data, wanted, range(first, len(data), step)))) for step in (1, 2, 3, 7) for first in range(step)}
    with capsys.disabled():
        print(f"\ntest_dicom_22_pure: syntax={syntax} cuts={len(data)} decisions={len(seen)}")
    assert seen == {str(whole)}


def test_a_head_is_decided_before_the_pixels_come() -> None:
    data = ct(little)
    walker = Head(EXPLICIT_LE, KEYS)
    assert not walker.feed(data[: data.index(b"\x28\x00\x10\x00")])
    assert walker.feed(data[data.index(b"\x28\x00\x10\x00") :][:8])
    assert walker.values == FOUND
    assert walker.feed(bytes(1000)) and walker.values == FOUND


def test_nothing_wanted_is_decided_at_the_first_element() -> None:
    walker = Head(EXPLICIT_LE, want())
    assert walker.feed(ct(little)) and walker.unreadable is None and not walker.values


@pytest.mark.parametrize("depth", [1, 64, 65, 200, 5000])
@pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE])
def test_undefined_lengths_are_walked_to_depth_64(syntax: str, depth: int) -> None:
    writer = WRITERS[syntax]
    data = ct(writer, before=nested(writer, depth))
    for cuts in ((), range(1, len(data), 997)):
        walker = read(syntax, data, cuts=cuts)
        assert outcome(walker) == ((None, FOUND, {}) if depth <= head.DEPTH else ("depth", {}, {}))


@pytest.mark.parametrize("depth", [65, 200])
def test_defined_lengths_are_skipped_at_any_depth(depth: int) -> None:
    assert read(EXPLICIT_LE, ct(little, before=nested(little, depth, undefined=False))).values == FOUND


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, EXPLICIT_BE])
def test_un_of_undefined_length_is_implicit_inside(syntax: str) -> None:
    """PS3.5 §6.2.2: whatever the transfer syntax, the items of a UN are Implicit VR Little Endian."""
    implicit = WRITERS[IMPLICIT_LE]
    inner = nested(implicit, 2) + implicit.element(STUDY, b"", FOREIGN)
    whole = WRITERS[syntax].element(0x00091002, b"UN", b"", 0xFFFFFFFF) + implicit.item(inner, True) + implicit.delimiter(0xE0DD)
    assert read(syntax, ct(WRITERS[syntax], before=whole)).values == FOUND


def test_private_and_encapsulated_undefined_lengths_are_walked_by_items() -> None:
    fragments = [little.item(b""), little.item(b"\xff\xd8" * 40)]
    for tag, vr in ((0x00091002, b"OB"), (0x00091002, b"UT"), (0x00091002, b"OF"), (0x00088888, b"OB"), (0x00088888, b"OW")):
        assert read(JPEG, ct(little, before=little.sequence(tag, fragments, True, vr))).values == FOUND
    assert read(EXPLICIT_LE, ct(little, before=little.sequence(0x00081199, [], True, b"UT"))).unreadable == "undefined-length"


@pytest.mark.parametrize(
    ("reason", "before"),
    [
        ("not-a-vr", b"\x08\x00\x70\x00ab\x02\x00xx"),
        ("not-a-vr", b"\x08\x00\x70\x00ZZ\x02\x00xx"),
        ("not-a-vr", b"\x30\x80\x30\x80\x00\x00\x00\x00"),  # past the last tag, yet no element
        ("length-past-cap", little.element(0x00081140, b"SQ", b"", 0x00100000)),
        ("length-past-cap", little.element(0x00081140, b"SQ", b"", 0xFFFFFFFE)),
        ("value-too-long", little.element(0x00100020, b"UT", bytes(head.VALUE + 2))),
        ("stray-item", little.delimiter(0xE000)),
        ("stray-item", little.delimiter(0xE00D)),
        ("stray-item", little.sequence(0x00081140, [little.item(little.delimiter(0xE0DD), True)], True)),
        ("delimiter", little.element(0x00081140, b"SQ", b"", 0xFFFFFFFF) + little.delimiter(0xE0DD, 4)),
        ("delimiter", little.element(0x00081140, b"SQ", little.item(b"", True)[:8] + little.delimiter(0xE00D, 2), 0xFFFFFFFF)),
        ("not-an-item", little.sequence(0x00081140, [little.element(0x00080060, b"CS", b"CT")], True)),
        ("not-a-vr", little.sequence(0x00081140, [little.item(WRITERS[IMPLICIT_LE].element(0x00081150, b"", b"1.2 "), True)], True)),
        ("no-end", little.element(0x00081140, b"SQ", b"", 0xFFFFFFFF) + little.item(b"") * 40_000),
        ("twice", little.element(0x00080060, b"CS", b"MR")),
    ],
)
def test_what_cannot_be_read_is_unreadable_with_a_reason_and_no_values(reason: str, before: bytes) -> None:
    data = ct(little, before=before)
    for cuts in ((), range(1, len(data), max(1, len(data) // 500))):
        walker = read(EXPLICIT_LE, data, cuts=cuts)
        assert outcome(walker) == (reason, {}, {})


@pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE])
def test_a_data_set_that_ends_inside_an_element_is_unreadable(syntax: str) -> None:
    """Between two elements an end is an end; anywhere else it is a cut, in values that nobody wants too."""
    writer = WRITERS[syntax]
    parts = [
        writer.element(0x00080016, b"UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        writer.element(0x00080060, b"CS", b"CT"),
        writer.sequence(0x00081140, [writer.item(b""), writer.item(b"", True)], True),
        writer.element(0x00081155, b"UN", bytes(30)),
        writer.element(STUDY, b"UI", UID),
    ]
    whole = [sum(len(part) for part in parts[:n]) for n in range(len(parts) + 1)]
    data = b"".join(parts)
    ends = [size for size in range(len(data) + 1) if read(syntax, data[:size]).unreadable is None]
    assert ends == whole
    assert {read(syntax, data[:size]).unreadable for size in range(len(data)) if size not in whole} == {"cut"}


def test_a_wanted_element_that_is_a_sequence_has_no_value() -> None:
    wanted = want(0x00081140, STUDY)
    for undefined in (False, True):
        before = little.sequence(0x00081140, [little.item(little.element(STUDY, b"UI", FOREIGN))], undefined)
        assert read(EXPLICIT_LE, ct(little, before=before), wanted).values == {STUDY: UID}


def test_the_end_decides_what_is_absent() -> None:
    data = little.element(0x00080060, b"CS", b"CT")
    assert outcome(read(EXPLICIT_LE, data)) == (None, {0x00080060: b"CT"}, {})
    assert outcome(read(EXPLICIT_LE, b"")) == (None, {}, {})


def test_explicit_data_in_an_implicit_context_is_unreadable_and_the_reverse() -> None:
    for before in (b"", little.element(0x00080070, b"LO", b"")):
        assert read(IMPLICIT_LE, before + ct(little)).unreadable == "explicit"
    assert read(EXPLICIT_LE, ct(WRITERS[IMPLICIT_LE])).unreadable == "not-a-vr"
    assert read(EXPLICIT_BE, ct(little)).unreadable == "byte-order"
    assert read(EXPLICIT_LE, ct(WRITERS[EXPLICIT_BE])).unreadable == "byte-order"
    assert read(IMPLICIT_LE, ct(WRITERS[EXPLICIT_BE])).unreadable == "byte-order"


def test_dicom_23_study_uid_absent_empty_long_illegal_unordered_unreadable(capsys: pytest.CaptureFixture[str]) -> None:
    """dicom.md §3 at the pure level: absent has no entry, any other value is kept as it is, disorder is found, the rest is unreadable."""
    absent = {tag: value for tag, value in FOUND.items() if tag != STUDY}
    cases: list[tuple[str, bytes, tuple[object, ...]]] = [
        ("absent", ct(little, study=None), (None, absent, {})),
        ("empty", ct(little, study=b""), (None, FOUND | {STUDY: b""}, {})),
        ("65", ct(little, study=b"1." * 32 + b"1\0"), (None, FOUND | {STUDY: b"1." * 32 + b"1\0"}, {})),
        ("64KiB", ct(little, study=b"1" * 65_534), (None, FOUND | {STUDY: b"1" * 65_534}, {})),
        ("illegal", ct(little, study=b"../\x1b[2J\r\n\0;--"), (None, FOUND | {STUDY: b"../\x1b[2J\r\n\0;--"}, {})),
        ("unordered", little.element(STUDY, b"UI", UID) + ct(little, study=None), (None, FOUND, {})),
        ("unordered-twice", little.element(STUDY, b"UI", UID) + ct(little), ("twice", {}, {})),
        ("unordered-found", little.element(0x00180015, b"CS", b"HEAD") + ct(little), (None, FOUND, {})),
        (
            "unordered-late",
            ct(little, study=None, before=little.element(0x00180015, b"CS", b"")) + little.element(STUDY, b"UI", UID),
            (None, FOUND, {}),
        ),
        ("unreadable", ct(little, before=b"\x08\x00\x70\x00ab\x02\x00xx"), ("not-a-vr", {}, {})),
    ]
    deviations = [name for name, data, expected in cases if outcome(read(EXPLICIT_LE, data)) != expected]
    with capsys.disabled():
        print(f"\ntest_dicom_23_pure: cases={len(cases)} deviations={len(deviations)}")
    assert not deviations


def test_disorder_scans_on_to_the_cap() -> None:
    first = little.element(0x00180015, b"CS", b"HEAD")
    late = little.element(PIXELS, b"OW", bytes(100_000)) + little.element(STUDY, b"UI", UID)
    walker = read(EXPLICIT_LE, first + ct(little, study=None)[:-76] + late)
    assert (walker.values, walker.unordered) == (FOUND, True)
    beyond = little.element(PIXELS, b"OW", bytes(300_000)) + little.element(STUDY, b"UI", UID)
    assert read(EXPLICIT_LE, first + ct(little, study=None)[:-76] + beyond).unreadable == "length-past-cap"


def test_lying_group_and_item_lengths_are_not_trusted_beyond_their_end() -> None:
    """CVE-2026-5437: a group length is skipped like any value; an item longer than its sequence only matters where items are walked."""
    group = little.element(0x00080000, b"UL", b"\xff\xff\xff\x7f")
    assert read(EXPLICIT_LE, group + ct(little)).values == FOUND
    lying = little.element(0x00081140, b"SQ", b"\xfe\xff\x00\xe0\xff\xff\xff\x7f")
    assert read(EXPLICIT_LE, ct(little, before=lying)).values == FOUND
    walked = little.element(0x00081140, b"SQ", b"\xfe\xff\x00\xe0\xff\xff\xff\x7f", 0xFFFFFFFF)
    assert read(EXPLICIT_LE, ct(little, before=walked)).unreadable == "length-past-cap"


def private(block: int, creator: bytes, low: int, value: bytes, group: int = 0x0019) -> bytes:
    return little.element(group << 16 | block, b"LO", creator) + little.element(group << 16 | block << 8 | low, b"LO", value)


def test_private_elements_are_found_by_their_creator() -> None:
    wanted = want(STUDY, private=[(0x0019, 0x10, "ACME"), (0x0021, 0x02, "OTHER")])
    named = little.element(0x00190010, b"LO", b"SOMEONE ") + little.element(0x00190011, b"LO", b"ACME")
    values = (
        little.element(0x00191010, b"LO", b"no") + little.element(0x00191110, b"LO", b"RED ") + little.element(0x00191111, b"LO", b"no")
    )
    behind = private(0x10, b"OTHER ", 0x02, b"two ", group=0x0021) + little.element(PIXELS, b"OW", bytes(8))
    ordered = named + values + little.element(STUDY, b"UI", UID) + behind
    walker = read(EXPLICIT_LE, ordered, wanted)
    assert outcome(walker) == (None, {STUDY: UID}, {(0x0019, 0x10, "ACME"): b"RED ", (0x0021, 0x02, "OTHER"): b"two "})
    assert read(EXPLICIT_LE, ordered, want(private=wanted.private)).private == walker.private


def test_private_oddities_are_unreadable_or_absent() -> None:
    wanted = want(STUDY, private=[(0x0019, 0x10, "ACME")])
    study = little.element(STUDY, b"UI", UID)
    late = little.element(0x00191010, b"LO", b"RED ") + little.element(0x00190010, b"LO", b"ACME")
    assert read(EXPLICIT_LE, late + study, wanted).unreadable == "late-creator"
    twice = private(0x10, b"ACME", 0x10, b"a ") + private(0x11, b"ACME", 0x10, b"b ")
    assert read(EXPLICIT_LE, twice + study, wanted).unreadable == "twice"
    assert read(EXPLICIT_LE, private(0x10, b"ACME", 0x11, b"a ") + study, wanted).private == {}
    assert read(EXPLICIT_LE, little.element(0x00190010, b"LO", b"A") * 2 + study, wanted).unreadable == "twice"


def test_deflate_bombs_and_broken_streams_are_bounded() -> None:
    """dicom.md §8: ≤ 1 MiB and ≤ 100:1 come out, whatever goes in; RSS < +16 MiB."""
    head_of_it = ct(little, before=little.element(0x00081140, b"SQ", b"", 0xFFFFFFFF))
    bombs = {
        "zeros": sent(DEFLATED, head_of_it + bytes(200_000_000)),
        "items": sent(DEFLATED, little.element(0x00081140, b"SQ", b"", 0xFFFFFFFF) + little.item(b"") * 5_000_000),
        "slow": sent(
            DEFLATED,
            little.element(0x00081140, b"SQ", b"", 0xFFFFFFFF) + b"".join(little.item(n.to_bytes(4, "big") * 9) for n in range(60_000)),
        ),
        "garbage": b"\x07" * 4096,
        "zlib header": zlib.compress(ct(little)),
        "cut": sent(DEFLATED, ct(little))[:-40],
    }
    for name, data in bombs.items():
        tracemalloc.start()
        walkers = [read(DEFLATED, data), read(DEFLATED, data, cuts=range(1, min(len(data), 300_000), 61))]
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024, name
        tracemalloc.stop()
        assert outcome(walkers[0]) == outcome(walkers[1]), name
        assert walkers[0].unreadable in ("deflate", "no-end", "not-an-item"), name
    assert read(DEFLATED, sent(DEFLATED, ct(little)) + bytes(100)).values == FOUND


def test_the_limits_are_those_that_are_documented() -> None:
    """`config` and `wire` do not know each other, so that the numbers stand in both."""
    assert (head.CAP, head.DEPTH, inflate.INFLATED, inflate.TAKEN) == (limits.HEAD, limits.NESTING, limits.INFLATE, limits.HEAD)


def test_inflate_stops_at_its_own_limits() -> None:
    inflater = inflate.Inflater()
    made = sum(len(piece) for piece in inflater.inflate(sent(DEFLATED, bytes(50_000_000))))
    assert inflater.broken and made <= inflate.INFLATED + 1024 * 1032


def test_what_is_kept_between_calls_is_bounded() -> None:
    """One byte at a time through a long value, skips and nesting: never more than one header or one wanted value is held."""
    data = ct(little, before=little.element(0x00081031, b"UT", bytes(30_000)) + nested(little, 64), study=b"1" * 2000)
    walker = Head(EXPLICIT_LE, KEYS)
    held = 0
    for i in range(len(data)):
        if walker.feed(data[i : i + 1]):
            break
        held = max(held, len(walker._carry))
    assert walker.decided and held <= 2008


@st.composite
def elements(draw: st.DrawFn, writer: Writer, level: int = 0) -> list[tuple[int, bytes, bytes]]:
    """(tag, plain value or b"", encoded) of ascending tags, with sequences of both kinds down to three levels."""
    tags = sorted(
        draw(st.sets(st.sampled_from([0x00080005, 0x00080060, 0x00081140, 0x00090010, 0x00091001, 0x00100020, STUDY, SERIES, 0x00280010])))
    )
    out = []
    for tag in tags:
        kind = draw(st.sampled_from(["text", "long", "sequence"]))
        if kind == "sequence" and tag in KEYS.tags:
            kind = "text"
        if kind == "sequence" and level < 3:
            undefined = draw(st.booleans())
            inner = draw(st.lists(elements(writer, level + 1), max_size=2))
            items = [writer.item(b"".join(coded for _, _, coded in one), draw(st.booleans())) for one in inner]
            out.append((tag, b"", writer.sequence(tag, items, undefined)))
        else:
            value = draw(st.binary(max_size=40))
            out.append((tag, value, writer.element(tag, b"LO" if kind == "text" else b"UT", value)))
    return out


@pytest.mark.parametrize("syntax", SYNTAXES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_data_set_gives_its_depth_0_values_however_it_is_cut(syntax: str, data: st.DataObject) -> None:
    written = data.draw(elements(WRITERS[syntax]))
    raw = b"".join(coded for _, _, coded in written)
    travelling = sent(syntax, raw)
    cuts = data.draw(st.lists(st.integers(0, len(travelling)), max_size=8))
    walker = read(syntax, travelling, cuts=cuts)
    assert outcome(walker) == (None, {tag: value for tag, value, _ in written if tag in KEYS.tags}, {})


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400), syntax=st.sampled_from(SYNTAXES), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_any_bytes_are_decided_alike_however_they_are_cut(data: bytes, syntax: str, cuts: list[int]) -> None:
    wanted = want(*KEYS.tags, private=[(0x0009, 0x01, "ACME")])
    assert outcome(read(syntax, data, wanted)) == outcome(read(syntax, data, wanted, cuts))
