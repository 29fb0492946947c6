"""Single values: what is read, what is refused with which code, and that spelling and reading are one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.config import limits, text
from gurney.config.faults import Unfit


def code(parse: Callable[[], object]) -> str:
    """The code a parser refuses with."""
    with pytest.raises(Unfit) as refused:
        parse()
    assert refused.value.message
    return refused.value.code


@pytest.mark.parametrize(
    "value", ["", " 1", "1 ", "1\n", "+1", "-1", "1.0", "1e3", "0x10", "1_0", "١", "²", "9" * 20, "99999999999999999999"]
)
def test_only_ascii_digits_are_a_number(value: str) -> None:
    assert code(lambda: text.integer(value, 0, 10)) == "GRN-S014"


def test_a_number_has_its_range() -> None:
    assert (text.integer("1", 1, 256), text.integer("256", 1, 256), text.integer("007", 1, 256)) == (1, 256, 7)
    assert {code(lambda value=value: text.integer(value, 1, 256)) for value in ("0", "257")} == {"GRN-S014"}


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [("0ms", 0), ("500ms", 500), ("2s", 2_000), ("10m", 600_000), ("1h", 3_600_000), ("7d", 604_800_000), ("1y", 31_536_000_000)],
)
def test_durations(value: str, milliseconds: int) -> None:
    assert text.duration_ms(value, 0, 1 << 40) == milliseconds


@pytest.mark.parametrize("value", ["", "2", "s", "2 s", "2S", "2sec", "1.5s", "-2s", "2s\n", "٢s", "1h30m", "2w", "9999999999999s"])
def test_what_is_no_duration(value: str) -> None:
    assert code(lambda: text.duration_ms(value, 0, 1 << 62)) == "GRN-S015"


@given(st.integers(0, 10**12 - 1))
def test_a_duration_is_read_as_it_is_spelt(milliseconds: int) -> None:
    assert text.duration_ms(text.spell_duration(milliseconds), 0, 1 << 40) == milliseconds


@pytest.mark.parametrize(("value", "count"), [("0B", 0), ("1KiB", 1024), ("64MiB", 67_108_864), ("4GiB", 1 << 32), ("2TiB", 1 << 41)])
def test_sizes(value: str, count: int) -> None:
    assert text.size(value) == count


@pytest.mark.parametrize("value", ["", "64", "64MB", "64M", "64mib", "64 MiB", "1.5GiB", "-1B", "1B\n", "٢B", "99999999TiB"])
def test_what_is_no_size(value: str) -> None:
    assert code(lambda: text.size(value)) == "GRN-S016"


def test_a_size_nearly_right_gets_the_right_one() -> None:
    for value, hint in (("64MB", "did you mean 64MiB?"), ("4g", "did you mean 4GiB?"), ("64 MiB", "did you mean 64MiB?")):
        with pytest.raises(Unfit) as refused:
            text.size(value)
        assert refused.value.hint == hint


@given(st.integers(0, 1 << 59))
def test_a_size_is_read_as_it_is_spelt(count: int) -> None:
    if len(str(count)) <= 15 or count % 1024 == 0:
        assert text.size(text.spell_size(count)) == count


@pytest.mark.parametrize("value", ["PACS", "a", "CT 1", "A/B", "$%&", "X" * 16, "A@B"])
def test_ae_titles(value: str) -> None:
    assert text.ae_title(value) == value


@pytest.mark.parametrize("value", ["", " ", " PACS", "PACS ", "PA\\CS", "X" * 17, "PÄCS", "PACS\n", "PA\x1bCS", "\x7f"])
def test_what_is_no_ae_title(value: str) -> None:
    assert code(lambda: text.ae_title(value)) == "GRN-S019"


@pytest.mark.parametrize("value", ["1", "0", "1.2.840.10008.1.2", "2.25.0", "1" * 64])
def test_uids(value: str) -> None:
    assert text.uid(value) == value


@pytest.mark.parametrize("value", ["", ".", "1.", ".1", "1..2", "1.02", "1.2a", "1" * 65, "1.2\n", "1.٢", "1.2 "])
def test_what_is_no_uid(value: str) -> None:
    assert code(lambda: text.uid(value)) == "GRN-S020"


@pytest.mark.parametrize("value", ["..", ".", "", "a/b", "-a", "_a", "a b", "a.b", "ä", "a\n", "x" * 33, "CON\x00"])
def test_a_name_can_never_be_a_path(value: str) -> None:
    assert code(lambda: text.name(value, "a pool")) == "GRN-S018"


def test_names() -> None:
    assert [text.name(value, "a pool") for value in ("a", "A-1_x", "9", "x" * 32)]
    assert [text.member_name(value) for value in ("archive-1", "10.0.0.1:104", "[fd00::1]:104", "MY PACS")]
    for value in ("a/b", "*", "a*", "a?", "", " a", "a ", "x" * 65):
        assert code(lambda value=value: text.member_name(value)) == "GRN-S018"


def test_host_names() -> None:
    assert all(map(text.host_name, ("a", "pacs.example.org", "X-1.y", "a" * 63)))
    assert not any(map(text.host_name, ("", ".", "a.", "-a", "a-", "a_b", "10.0.0.1", "a.1", "a" * 64, "a b", "ä", ".".join(["abc"] * 64))))


def test_jurisdictions() -> None:
    assert [text.jurisdiction(value) for value in ("GB", "NO", "US-CA", "FR-75C")]
    for value in ("gb", "GBR", "G", "", "US-", "US-ABCD", "ÄÖ"):
        assert code(lambda value=value: text.jurisdiction(value)) == "GRN-S013"


@given(st.text(max_size=40))
def test_no_parser_lets_a_line_or_a_control_character_through(value: str) -> None:
    parsers: tuple[Callable[[str], object], ...] = (
        text.ae_title,
        text.uid,
        text.member_name,
        text.jurisdiction,
        lambda one: text.name(one, "a pool"),
    )
    for parse in parsers:
        try:
            found = parse(value)
        except Unfit:
            continue
        assert found == value
        assert value.isascii() and value.isprintable()
    assert limits.AE_TITLE_BYTES == 16
