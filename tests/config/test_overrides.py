"""Overrides over a document: who is meant, what is laid, and that the document under it stays as it is."""

from __future__ import annotations

import pytest

from gurney.config.document import Document
from gurney.config.overrides import Override, lay, matching, objects, weight_of, word
from gurney.config.reader import read
from gurney.errors import InputRefused
from tests.config.documents import EVERYTHING, PORTAL


def document() -> Document:
    """The whole document."""
    found = read(EVERYTHING).document
    assert found is not None
    return found


def over(name: str, said: str) -> Override:
    """A word over one member."""
    return Override(name, said, None, "test", "anna", 0.0)


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("pacs/archive/archive-1", ("pacs/archive/archive-1",)),
        ("pacs/archive/archive-[12]", ()),
        ("*/*/archive-?", tuple(f"pacs/archive/archive-{at}" for at in (1, 2, 3, 4))),
        ("pacs/b*/*", ("pacs/breast/BREAST", "pacs/breast/[fd00::21]:104", "pacs/breast/BREAST2")),
        ("pacs/breast/[fd00::21]:104", ("pacs/breast/[fd00::21]:104",)),
        ("PACS/archive/archive-1", ()),
    ],
)
def test_members_are_found_by_glob(glob: str, found: tuple[str, ...]) -> None:
    assert matching(document(), glob) == found


@pytest.mark.parametrize("glob", ["", "*", "pacs", "pacs/archive", "pacs//x", "a/b/c/d", "/pacs/archive/x"])
def test_a_glob_of_another_form_is_refused(glob: str) -> None:
    with pytest.raises(InputRefused):
        matching(document(), glob)


def test_everything_is_every_member_in_order() -> None:
    assert matching(document(), "*/*/*") == objects(document())
    assert len(objects(document())) == 9


def test_what_is_laid_is_seen_and_nothing_else_changes() -> None:
    before = document()
    laid = lay(
        before,
        [over("pacs/archive/archive-1", "drain"), over("pacs/archive/archive-2", "weight=7"), over("pacs/breast/BREAST", "disable")],
    )
    archive, breast = laid.applications["pacs"].pools["archive"], laid.applications["pacs"].pools["breast"]
    assert [member.override for member in archive.members.values()] == ["drain", "weight=7", None, None]
    assert [member.weight for member in archive.members.values()] == [60, 7, 60, 60]
    assert breast.members["BREAST"].override == "disable"
    assert list(archive.members) == list(before.applications["pacs"].pools["archive"].members)
    assert before == document()
    assert lay(laid, []) is laid


def test_the_last_word_counts_and_a_member_that_is_gone_is_no_matter() -> None:
    laid = lay(document(), [over("pacs/breast/BREAST", "drain"), over("pacs/breast/BREAST", "disable"), over("gone/gone/gone", "drain")])
    assert laid.applications["pacs"].pools["breast"].members["BREAST"].override == "disable"


def test_members_that_haproxy_carries_are_meant_and_laid_over_too() -> None:
    before = read(PORTAL).document
    assert before is not None
    assert matching(before, "portal/pages/*") == ("portal/pages/one", "portal/pages/two")
    assert matching(before, "*/*/*") == objects(before) and len(objects(before)) == 9
    laid = lay(
        before, [over("portal/pages/one", "weight=7"), over("portal/records/10.0.4.1:5432", "disable"), over("portal/api/x", "drain")]
    )
    pools = laid.applications["portal"].proxied_pools
    assert [(member.override, member.weight) for member in pools["pages"].members.values()] == [("weight=7", 7), (None, 20)]
    assert [member.override for member in pools["records"].members.values()] == ["disable", None]
    assert laid.applications["portal"].pools == before.applications["portal"].pools
    assert before == read(PORTAL).document


def test_words() -> None:
    assert [word(text) for text in ("drain", "disable", "weight=1", "weight=256")] == ["drain", "disable", "weight=1", "weight=256"]
    assert (weight_of("weight=50"), weight_of("drain"), weight_of("weight=")) == (50, None, None)
    for text in ("", "enable", "weight", "weight=0", "weight=257", "weight=-1", "weight=1.5", "weight=٣", "Drain", "weight=1\n"):
        with pytest.raises(InputRefused):
            word(text)
