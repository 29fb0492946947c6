"""The one place for `state.db`: opening it, its settings, its schema version, its transactions.

SQLite in WAL mode at `synchronous=FULL`: a committed change survives a power cut. One connection, used by one thread at a time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from gurney.errors import StateUnusable

SCHEMA_VERSION = 2
APPLICATION_ID = 0x47524E59  # "GRNY": so that `file` and a wrong database are told apart

_SCHEMA = """
CREATE TABLE revision (
    n INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    text TEXT NOT NULL,
    digest TEXT NOT NULL,
    time REAL NOT NULL,
    who TEXT NOT NULL,
    why TEXT,
    before INTEGER REFERENCES revision(n),
    pending_until REAL,
    served REAL,
    failed TEXT
) STRICT;
CREATE TABLE override (
    object TEXT PRIMARY KEY,
    word TEXT NOT NULL,
    until REAL,
    why TEXT,
    by TEXT NOT NULL,
    since REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE last_good (
    application TEXT NOT NULL,
    engine TEXT NOT NULL,
    generation TEXT NOT NULL,
    content BLOB NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (application, engine)
) STRICT, WITHOUT ROWID;
"""

_MIGRATIONS: Mapping[int, str] = {  # from this version to the next; a fresh database takes them all
    1: """
ALTER TABLE revision ADD COLUMN materials TEXT NOT NULL DEFAULT '{}';
ALTER TABLE revision ADD COLUMN folder TEXT;
""",
}

_SETTINGS: tuple[tuple[str, str, object], ...] = (
    ("journal_mode", "wal", "wal"),
    ("synchronous", "full", 2),
    ("trusted_schema", "off", 0),
    ("cell_size_check", "on", 1),
    ("foreign_keys", "on", 1),
)

Value = None | int | float | str | bytes


class StateNewer(StateUnusable):
    """`state.db` was written by a newer Gurney; nothing was changed."""

    exit_status = 2


class Database:
    """The open `state.db`. Every method raises `StateUnusable` when SQLite cannot do what it was asked."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            if not read_only:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite alone would make it 0644
            flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
            self._connection = apsw.Connection(str(path), flags=flags)
            self._connection.set_busy_timeout(2_000)
            self._check_version(fresh_allowed=not read_only)
            if not read_only:
                self._settle()
        except (apsw.Error, OSError) as error:
            raise StateUnusable(f"{path} cannot be opened: {error}", hint="keep a copy of it, then start with an empty --state") from error

    def _check_version(self, *, fresh_allowed: bool) -> None:
        version = self._pragma("user_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            self._connection.close()
            raise StateNewer(
                f"{self.path} was written by a newer Gurney (schema {version}; this one knows {SCHEMA_VERSION})",
                hint="install that version again, or restore a backup made by this one",
            )
        self._version = version if isinstance(version, int) else 0
        if self._version == 0 and not fresh_allowed:
            raise StateUnusable(f"{self.path} is empty", hint="`gurney up FILE` fills it")

    def _settle(self) -> None:
        for name, wanted, expected in _SETTINGS:
            self._connection.execute(f"PRAGMA {name}={wanted}").fetchall()
            got = self._pragma(name)
            if got != expected:
                raise StateUnusable(f"SQLite did not take {name}={wanted} for {self.path}: it says {got!r}")
        if self._version == SCHEMA_VERSION:
            return
        with self.transaction():  # a crash leaves the version of before, whole
            if self._version == 0:
                self._connection.execute(_SCHEMA).fetchall()
                self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}").fetchall()
            for version in range(max(self._version, 1), SCHEMA_VERSION):
                self._connection.execute(_MIGRATIONS[version]).fetchall()
            self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}").fetchall()

    def _pragma(self, name: str) -> object:
        rows = self._connection.execute(f"PRAGMA {name}").fetchall()
        return rows[0][0] if rows else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nests."""
        with self._lock:
            try:
                with self._connection:
                    yield
            except apsw.Error as error:
                raise StateUnusable(f"{self.path} could not be written: {error}") from error

    def write(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Run one statement, durable when no transaction is open around it; returns the number of rows it changed."""
        with self.transaction():
            self._connection.execute(sql, tuple(values)).fetchall()
            return self._connection.changes()

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Every row of a query."""
        with self._lock:
            try:
                return [tuple(row) for row in self._connection.execute(sql, tuple(values))]
            except apsw.Error as error:
                raise StateUnusable(f"{self.path} could not be read: {error}") from error

    def close(self) -> None:
        """Close the connection; harmless when it is closed."""
        with self._lock:
            self._connection.close()
