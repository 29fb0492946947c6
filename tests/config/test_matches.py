"""Globs and tags as keys of `match`."""

from __future__ import annotations

import pytest

from gurney.config import matches
from gurney.config.faults import Unfit
from gurney.config.matches import Tag


@pytest.mark.parametrize(
    ("key", "tag", "spelling"),
    [
        ("tag(0010,0040)", Tag(0x0010, 0x0040), "tag(0010,0040)"),
        ("tag(0018,103e)", Tag(0x0018, 0x103E), "tag(0018,103E)"),
        ("tag(0019,xx10,ACME)", Tag(0x0019, 0x10, "ACME"), "tag(0019,xx10,ACME)"),
        ("tag(7FDF,xxff,ACME 1, INC)", Tag(0x7FDF, 0xFF, "ACME 1, INC"), "tag(7FDF,xxFF,ACME 1, INC)"),
    ],
)
def test_tags(key: str, tag: Tag, spelling: str) -> None:
    assert matches.tag(key) == tag
    assert str(tag) == spelling
    assert matches.tag(spelling) == tag


@pytest.mark.parametrize(
    "key",
    [
        "tag()",
        "tag(0010)",
        "tag(0010,0040",
        "tag(0010,40)",
        "tag(010,0040)",
        "tag(0010, 0040)",
        "tag(0010,xx40)",
        "tag(0010,0040,ACME)",
        "tag(0019,1010)",
        "tag(0019,1010,ACME)",
        "tag(0019,xx10)",
        "tag(0019,xx10,)",
        "tag(0019,xx10, ACME)",
        "tag(0019,xx10,A\\B)",
        "tag(0019,xx10,A(B))",
        "tag(0019,xx10,Ä)",
        "tag(0019,xx10," + "A" * 65 + ")",
        "tag(0000,0002)",
        "tag(0002,0010)",
        "tag(0007,xx10,ACME)",
        "tag(7FE0,0010)",
        "tag(FFFE,E000)",
        "tag(FFFF,xx10,ACME)",
        "tag(0010,0040)\n",
        "tag(٠٠١٠,0040)",
    ],
)
def test_what_is_no_tag(key: str) -> None:
    with pytest.raises(Unfit) as refused:
        matches.tag(key)
    assert refused.value.code == "GRN-S021"


def test_only_printable_ascii_can_be_matched() -> None:
    assert matches.glob("R* (2?)") == "R* (2?)"
    for value in ("Ä", "a\n", "\x00", "\u2028", "\x7f"):
        with pytest.raises(Unfit):
            matches.glob(value)
