"""The one place for the record's SQLite file: opening it under one owner, its settings, schema versions, groups, checkpoints.

Reliability.md §2 fixes the settings; each is read back and a difference refuses the start. Everything here runs in the record's thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from gurney.disk import files
from gurney.disk.faults import Faults
from gurney.errors import RecordFailed, StateUnusable

SQLITE_LEAST = (3, 51, 3)
"""The fault by which a WAL could be reset under a reader is mended there."""
WAL_BYTES = 16 * 1024 * 1024
"""Bytes of WAL from which a checkpoint is made, and which are written ahead so that a commit changes no file size."""
PAGE = 4096
FRAME = PAGE + 24
LOCK_PAUSE = 0.02

Statement = tuple[str, Sequence[Any]]
Schema = Mapping[str, tuple[int, str | Sequence[str]]]
"""Client → (version, its DDL: one text, or one step a version, step i leading from version i to i + 1)."""

SETTINGS: tuple[tuple[str, str, object], ...] = (
    ("locking_mode", "EXCLUSIVE", "exclusive"),
    ("page_size", str(PAGE), PAGE),
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("wal_autocheckpoint", "0", 0),
    ("journal_size_limit", "-1", -1),
    ("mmap_size", "0", 0),
    ("cell_size_check", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("secure_delete", "OFF", 0),
)
"""(pragma, what it is set to, what it must then say)."""

_BASE = """
CREATE TABLE IF NOT EXISTS record_schema (client TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record_mark (id INTEGER PRIMARY KEY CHECK (id = 0), number INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO record_mark VALUES (0, 0);
"""


class Database:
    """The open file. Its owner holds SQLite's exclusive lock until `close`."""

    def __init__(self, connection: apsw.Connection, path: Path, faults: Faults, wal_bytes: int) -> None:
        self._connection = connection
        self._path = path
        self._faults = faults
        self._wal_bytes = wal_bytes
        self._wal_pages = 0
        self._full = True
        self.group: int = 0

    def commit(self, entries: Sequence[Sequence[Statement]], *, full: bool) -> list[list[tuple[Any, ...]] | Exception]:
        """One group: all entries in one transaction, each with the rows of its last statement, or with its own error, alone undone.

        `full`: synced when this returns; else it survives the process only, until a later full group. Raises what makes the whole
        group void (see `is_final`, `is_full`).
        """
        self._synchronous(full)
        self._faults.hit("group.begun")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._entry(entry) for entry in entries]
            self._connection.execute("UPDATE record_mark SET number = ?", (self.group + 1,))
            self._connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        self.group += 1
        self._faults.hit("group.committed")
        return results

    def checkpoint_if_due(self) -> None:
        """Move the WAL into the file from `WAL_BYTES` on; between groups, by the same connection."""
        if self._wal_pages * FRAME >= self._wal_bytes:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Move the WAL into the file; the WAL keeps its size and is written from its beginning again."""
        self._faults.hit("checkpoint.before")
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._wal_pages = 0
        self._faults.hit("checkpoint.after")

    def read(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return list(self._connection.execute(sql, params))

    def close(self) -> None:
        """Let go of the file and its lock; the WAL stays."""
        self._connection.close()

    def set_up(self, schema: Schema) -> None:
        """Settings, tables, versions, the WAL written ahead. Raises RecordFailed, StateUnusable."""
        for pragma, _, expected in SETTINGS:
            said = self._connection.pragma(pragma)
            if said != expected:
                raise RecordFailed(f"{self._path}: {pragma} is {said!r}, not {expected!r}", hint="the file was made by another program")
        persist = ctypes.c_int(1)
        self._connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(persist))
        self._connection.set_wal_hook(self._committed)
        with self._connection:
            self._connection.execute(_BASE)
            for client, (version, steps) in schema.items():
                self._client(client, version, (steps,) if isinstance(steps, str) else tuple(steps))
        self.group = int(self.read("SELECT number FROM record_mark", ())[0][0])
        self._write_ahead()
        files.sync_folder(self._path.parent)

    def _client(self, client: str, version: int, steps: Sequence[str]) -> None:
        rows = self.read("SELECT version FROM record_schema WHERE client = ?", (client,))
        stands = int(rows[0][0]) if rows else 0
        if stands > version:
            raise StateUnusable(
                f"{self._path}: {client} is of version {stands}, this program knows {version}",
                hint="a newer Gurney made it: run that one, or restore a backup",
            )
        if stands == version:
            return
        for step in steps if len(steps) == 1 else steps[stands:version]:
            self._connection.execute(step)
        self._connection.execute("INSERT OR REPLACE INTO record_schema VALUES (?, ?)", (client, version))

    def _write_ahead(self) -> None:
        """Zeros behind the WAL's last frame: recovery ends at them, and a commit inside them needs no new blocks and no new size."""
        wal = self._path.with_name(self._path.name + "-wal")
        fd = os.open(wal, os.O_WRONLY | os.O_CLOEXEC)
        try:
            zeros, size = bytes(1024 * 1024), os.fstat(fd).st_size
            while size < self._wal_bytes:
                size += os.pwrite(fd, zeros[: self._wal_bytes - size], size)
            os.fdatasync(fd)
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):  # without room it works as well, a little slower
                raise
        finally:
            os.close(fd)

    def _entry(self, statements: Sequence[Statement]) -> list[tuple[Any, ...]] | Exception:
        execute = self._connection.execute
        execute("SAVEPOINT entry")
        try:
            rows: list[tuple[Any, ...]] = []
            for sql, params in statements:
                rows = list(execute(sql, params))
        except Exception as problem:
            if is_final(problem) or is_full(problem):
                raise
            execute("ROLLBACK TO entry")
            execute("RELEASE entry")
            return problem
        execute("RELEASE entry")
        return rows

    def _synchronous(self, full: bool) -> None:
        if full != self._full:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full = full

    def _undo(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(apsw.Error):  # the error that led here says it all
                self._connection.execute("ROLLBACK")

    def _committed(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK


def is_final(problem: BaseException) -> bool:
    """Whether nothing may be tried again: the kernel may have dropped what it could not write, and say so only once."""
    if isinstance(problem, OSError):
        return problem.errno in (errno.EIO, errno.EROFS)
    return isinstance(problem, apsw.IOError | apsw.CorruptError | apsw.NotADBError | apsw.ReadOnlyError | apsw.CantOpenError)


def is_full(problem: BaseException) -> bool:
    """Whether there was no room: the group is void, the next one may be tried."""
    if isinstance(problem, OSError):
        return problem.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(problem, apsw.FullError)


def open_database(
    path: Path, schema: Schema, *, faults: Faults, wal_bytes: int = WAL_BYTES, wait: float | None = None, vfs: str | None = None
) -> Database:
    """Open or make the file, waiting up to `wait` seconds (None: as long as it takes) for its owner to let go.

    `vfs`: the SQLite VFS, for tests that cut the power. Raises RecordFailed (cannot be opened, other settings, still owned),
    StateUnusable (a newer version).
    """
    library = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if library < SQLITE_LEAST:
        raise RecordFailed(f"SQLite {apsw.sqlite_lib_version()} is too old", hint="3.51.3 or newer")
    deadline = None if wait is None else time.monotonic() + wait
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        while (connection := _own(path, vfs)) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise RecordFailed(f"{path} is owned by another process", hint="the process before this one has not ended")
            time.sleep(LOCK_PAUSE)
        database = Database(connection, path, faults, wal_bytes)
        try:
            database.set_up(schema)
        except BaseException:
            connection.close()
            raise
        faults.hit("recover.opened")
    except (apsw.Error, OSError) as problem:
        raise RecordFailed(f"{path} cannot be opened: {problem}") from problem
    return database


def _own(path: Path, vfs: str | None) -> apsw.Connection | None:
    """The connection with its exclusive lock, or None while another holds it. What it got half way is let go: two would wait for ever."""
    connection = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    try:
        for pragma, value, _ in SETTINGS:
            connection.execute(f"PRAGMA {pragma} = {value}").fetchall()
        connection.execute("BEGIN IMMEDIATE; COMMIT")
    except apsw.BusyError:
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection
