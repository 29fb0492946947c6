"""state.db: its settings, its version, its rights."""

from __future__ import annotations

import stat
from pathlib import Path

import apsw
import pytest

from gurney.errors import StateUnusable
from gurney.state.database import SCHEMA_VERSION, Database, StateNewer


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
