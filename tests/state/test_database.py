"""state.db: its settings, its version, its rights."""

from __future__ import annotations

import stat
from pathlib import Path

import apsw
import pytest

from gurney.errors import StateUnusable
from gurney.state.database import APPLICATION_ID, SCHEMA_VERSION, Database, StateNewer
from gurney.state.revisions import Revisions


def test_a_fresh_one_is_durable_private_and_has_this_version(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    assert database.rows("PRAGMA journal_mode") == [("wal",)]
    assert database.rows("PRAGMA synchronous") == [(2,)]  # FULL
    assert database.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    database.close()
    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o600


def test_a_newer_schema_is_refused_with_exit_2_and_left_as_it_is(tmp_path: Path) -> None:
    Database(tmp_path / "state.db").close()
    connection = apsw.Connection(str(tmp_path / "state.db"))
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(StateNewer, match=f"schema {SCHEMA_VERSION + 1}") as caught:
        Database(tmp_path / "state.db")
    assert caught.value.exit_status == 2
    assert (tmp_path / "state.db").read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database at all, though long enough to have a header" * 30)
    with pytest.raises(StateUnusable):
        Database(tmp_path / "state.db")


def test_read_only_changes_nothing(tmp_path: Path) -> None:
    Database(tmp_path / "state.db").close()
    database = Database(tmp_path / "state.db", read_only=True)
    with pytest.raises(StateUnusable):
        database.write("DELETE FROM override")
    database.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    insert = "INSERT INTO override VALUES (?, 'drain', NULL, NULL, 'me', 0)"
    with pytest.raises(ZeroDivisionError), database.transaction():
        database.write(insert, ("pacs/archive/a",))
        raise ZeroDivisionError
    assert database.rows("SELECT count(*) FROM override") == [(0,)]
    database.close()


def test_a_database_of_the_first_version_is_brought_to_this_one_with_all_it_holds(tmp_path: Path) -> None:
    """As issue 3 wrote it: no files of revisions, no folder."""
    connection = apsw.Connection(str(tmp_path / "state.db"))
    connection.execute(FIRST_VERSION)
    connection.execute("INSERT INTO revision VALUES (1, 'g.yaml', 'text', 'd', 5.0, 'me', 'why', NULL, NULL, 6.0, NULL)")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("PRAGMA user_version=1")
    connection.close()
    database = Database(tmp_path / "state.db")
    assert database.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    [revision] = Revisions(database).recent()
    assert (revision.text, revision.served, revision.materials, revision.folder) == ("text", 6.0, {}, None)
    database.close()
    Database(tmp_path / "state.db").close()


FIRST_VERSION = """
CREATE TABLE revision (
    n INTEGER PRIMARY KEY, file TEXT NOT NULL, text TEXT NOT NULL, digest TEXT NOT NULL, time REAL NOT NULL, who TEXT NOT NULL, why TEXT,
    before INTEGER REFERENCES revision(n), pending_until REAL, served REAL, failed TEXT
) STRICT;
CREATE TABLE override (
    object TEXT PRIMARY KEY, word TEXT NOT NULL, until REAL, why TEXT, by TEXT NOT NULL, since REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE last_good (
    application TEXT NOT NULL, engine TEXT NOT NULL, generation TEXT NOT NULL, content BLOB NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (application, engine)
) STRICT, WITHOUT ROWID;
"""
