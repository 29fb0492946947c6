"""What the node remembers comes back after it was closed: revisions, overrides, last good files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gurney.config.overrides import Override
from gurney.errors import NotFound
from gurney.state.database import Database
from gurney.state.last_good import Good, LastGood
from gurney.state.overrides import Overrides
from gurney.state.revisions import Revisions


def test_revisions_count_up_and_keep_the_text(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    revisions = Revisions(database)
    assert revisions.newest() is None
    first = revisions.add(text="a: ü\n", file="g.yaml", now=1.0, who="me")
    second = revisions.add(text="b", file="g.yaml", now=2.0, who="me", why="because", before=first.n, pending_until=60.0)
    database.close()
    revisions = Revisions(Database(tmp_path / "state.db"))
    assert revisions.newest() == second and second.n == 2
    assert revisions.get(1).text == "a: ü\n"
    assert [one.n for one in revisions.recent()] == [2, 1]
    with pytest.raises(NotFound):
        revisions.get(3)


def test_a_failed_revision_is_not_the_newest_and_its_number_is_not_used_again(tmp_path: Path) -> None:
    revisions = Revisions(Database(tmp_path / "state.db"))
    first = revisions.add(text="a", file="g", now=1.0, who="me")
    second = revisions.add(text="b", file="g", now=2.0, who="me", before=1, pending_until=9.0)
    revisions.fail(second.n, "port taken")
    newest = revisions.newest()
    assert newest is not None and newest.n == first.n
    assert revisions.get(2).failed == "port taken" and revisions.get(2).pending_until is None
    assert revisions.add(text="c", file="g", now=3.0, who="me", before=1).n == 3


def test_settling_settles_those_before_too(tmp_path: Path) -> None:
    revisions = Revisions(Database(tmp_path / "state.db"))
    for n in (1, 2, 3):
        revisions.add(text=str(n), file="g", now=float(n), who="me", pending_until=50.0 + n)
    revisions.settle(2)
    assert [one.pending_until for one in revisions.recent()] == [53.0, None, None]
    revisions.extend(3, 99.0)
    assert revisions.get(3).pending_until == 99.0


def test_overrides_replace_and_vanish(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    first = Override("pacs/archive/a", "drain", None, "disk", "me", 1.0)
    Overrides(database).put([first, Override("pacs/archive/b", "disable", 5.0, None, "me", 1.0)])
    again = Override("pacs/archive/a", "weight=3", None, None, "you", 2.0)
    Overrides(database).put([again])
    Overrides(database).drop(["pacs/archive/b", "never/was/there"])
    database.close()
    assert Overrides(Database(tmp_path / "state.db")).all() == (again,)


def test_last_good_is_exact_bytes(tmp_path: Path) -> None:
    good = LastGood(Database(tmp_path / "state.db"))
    good.put(Good("pacs", "route", "aa", b"{}\n\x00\xff"), 1.0)
    good.put(Good("pacs", "route", "bb", b"{}\n"), 2.0)
    assert good.all() == (Good("pacs", "route", "bb", b"{}\n"),)
    good.drop("pacs", "route")
    assert good.all() == ()
