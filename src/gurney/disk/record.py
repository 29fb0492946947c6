"""The one place for what an application must not forget: one SQLite file, one thread, groups of what arrived meanwhile (reliability.md §2).

A **group** is whatever arrived while the last commit ran, at most 64 entries or 8 MiB, and is one transaction. A group in which an
entry asks for it is synced before anybody hears of it; a group without one survives the process at once and is synced ≤ 100 ms later
by a full write of the mark row. A lone entry waits for nobody.

An I/O error is final: nothing is tried again, `failed` is called, and no entry of the group, or after it, is reported as done.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gurney.disk import files
from gurney.disk.database import WAL_BYTES, Database, Schema, Statement, is_final, is_full, open_database
from gurney.disk.faults import Faults
from gurney.errors import RecordFailed

GROUP_ENTRIES = 64
GROUP_BYTES = 8 * 1024 * 1024
SYNC_WITHIN = 0.1
"""Seconds from a group without a sync to the full write of the mark row that syncs it."""
MARK_EVERY = 1.0
"""Seconds between writings of `record.mark`, the number of the last synced group."""
TRY_AGAIN = 0.1

Wake = Callable[..., object]
Done = Callable[[BaseException | None], None]
Answered = Callable[[BaseException | None, list[tuple[Any, ...]]], None]


@dataclass(frozen=True, slots=True)
class _Entry:
    statements: Sequence[Statement]
    done: Answered
    full: bool
    size: int


class Record:
    """The record of one application. Its calls are for one thread, the loop's; `done` is called there, through `wake`."""

    def __init__(
        self, path: Path, schema: Schema, *, faults: Faults | None = None, wake: Wake | None = None,
        failed: Callable[[BaseException], None] | None = None, wait: float | None = None, wal_bytes: int = WAL_BYTES,
        vfs: str | None = None,
    ) -> None:  # fmt: skip
        """Opens the file (mode 0600), waiting up to `wait` seconds (None: as long as it takes) for its owner to let go.

        `wake(function, *args)`: calls in the loop's thread, such as `loop.call_soon_threadsafe`; without it, callbacks come in the
        record's thread. `failed(error)`: the record is broken for good. Raises RecordFailed, StateUnusable.
        """
        self._path = path
        self._schema = schema
        self._faults = Faults() if faults is None else faults
        self._wake: Wake = _at_once if wake is None else wake
        self._failed = failed
        self._opening: dict[str, Any] = {"wait": wait, "wal_bytes": wal_bytes, "vfs": vfs}
        self._changed = threading.Condition()
        self._queue: deque[_Entry] = deque()
        self._reads: deque[_Read] = deque()
        self._closing = False
        self._error: BaseException | None = None
        self._unsynced_since: float | None = None
        self._synced = 0
        self._marked = 0
        self._mark_due = 0.0
        self.groups_synced = 0
        self.groups_unsynced = 0
        self.lost = 0
        """Groups that `record.mark` names and the file has not: a WAL was lost or shortened while nobody looked."""
        opened = _Read("", ())
        self._thread = threading.Thread(target=self._main, args=(opened,), name="record", daemon=True)
        self._thread.start()
        opened.wait()

    @property
    def pending(self) -> int:
        """Entries handed over and not yet in a group."""
        return len(self._queue)

    def submit(self, statements: Sequence[Statement], done: Done, full: bool = False) -> None:
        """Write the statements, all or none; then `done(None)`, or `done(error)` if this entry could not be written.

        With `full` it is on the disk when `done` is called, else it survives this process and is on the disk ≤ 100 ms later.
        """
        self.exchange(statements, lambda error, rows: done(error), full)

    def exchange(self, statements: Sequence[Statement], done: Answered, full: bool = False) -> None:
        """As `submit`; `done(error, rows)` gets the rows of the last statement."""
        size = sum(len(value) for _, params in statements for value in params if isinstance(value, str | bytes))
        with self._changed:
            if self._error is None and not self._closing:
                self._queue.append(_Entry(statements, done, full, size))
                self._changed.notify()
                return
        self._call(done, self._refusal(), [])

    def read(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query, waited for; before traffic starts. Raises RecordFailed, apsw.Error."""
        read = _Read(sql, params)
        with self._changed:
            if self._error is not None or self._closing:
                raise self._refusal()
            self._reads.append(read)
            self._changed.notify()
        return read.wait()

    def close(self) -> None:
        """Write what is handed over, sync it, let go of the file. A second time does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    # ---- the thread

    def _main(self, opened: _Read) -> None:
        try:
            database = open_database(self._path, self._schema, faults=self._faults, **self._opening)
            self._synced = self._marked = database.group
            self.lost = max(0, self._read_mark() - database.group)
        except Exception as problem:  # whatever it was, the opener hears it
            self._error = problem
            opened.fail(problem)
            return
        opened.answer([])
        try:
            while (group := self._next()) is not None:
                self._group(database, group)
            self._end(database)
        except Exception as problem:  # final: see the module's words
            self._broken(problem)
        with contextlib.suppress(Exception):  # closing a broken file may fail; the lock goes all the same
            database.close()

    def _next(self) -> list[_Entry] | None:
        """The next group; empty when only a sync, a mark or a read is due; None at the end."""
        with self._changed:
            while True:
                if self._queue:
                    return self._cut()
                if self._reads:
                    return []
                if self._closing:
                    return None
                wait = self._due() - time.monotonic()
                if wait <= 0:
                    return []
                self._changed.wait(min(wait, 3600.0))

    def _cut(self) -> list[_Entry]:
        group = [self._queue.popleft()]
        size = group[0].size
        while self._queue and len(group) < GROUP_ENTRIES and size + self._queue[0].size <= GROUP_BYTES:
            size += self._queue[0].size
            group.append(self._queue.popleft())
        return group

    def _due(self) -> float:
        sync = float("inf") if self._unsynced_since is None else self._unsynced_since + SYNC_WITHIN
        mark = self._mark_due if self._synced > self._marked else float("inf")
        return min(sync, mark)

    def _group(self, database: Database, group: list[_Entry]) -> None:
        while self._reads:
            self._reads.popleft().run(database)
        now = time.monotonic()
        sync_due = self._unsynced_since is not None and now >= self._unsynced_since + SYNC_WITHIN
        full = sync_due or any(entry.full for entry in group)
        if group or sync_due:
            try:
                results = database.commit([entry.statements for entry in group], full=full)
            except Exception as problem:
                self._void(group, problem)
                return
            self._count(database, full, now)
            for entry, result in zip(group, results, strict=True):
                if isinstance(result, Exception):
                    self._call(entry.done, _failure(self._path, result), [])
                else:
                    self._call(entry.done, None, result)
            database.checkpoint_if_due()
        if self._synced > self._marked and now >= self._mark_due:
            self._write_mark()

    def _count(self, database: Database, full: bool, now: float) -> None:
        if full:
            self._synced = database.group
            self._unsynced_since = None
            self.groups_synced += 1
        else:
            self.groups_unsynced += 1
            if self._unsynced_since is None:
                self._unsynced_since = now

    def _void(self, group: list[_Entry], problem: Exception) -> None:
        """A group that was not committed: no room is said to those who asked, all else is final."""
        if not is_full(problem):
            with self._changed:  # those of the group hear it with all the others
                self._queue.extendleft(reversed(group))
            raise problem
        for entry in group:
            self._call(entry.done, _failure(self._path, problem), [])
        if self._unsynced_since is not None:
            self._unsynced_since = time.monotonic() + TRY_AGAIN - SYNC_WITHIN

    def _end(self, database: Database) -> None:
        if self._unsynced_since is not None:
            database.commit([], full=True)
            self._count(database, True, time.monotonic())
        if self._synced > self._marked:
            self._write_mark()
        database.checkpoint()

    def _broken(self, problem: Exception) -> None:
        with self._changed:
            self._error = problem
            left = list(self._queue)
            self._queue.clear()
            reads = list(self._reads)
            self._reads.clear()
        if self._failed is not None:
            self._call(self._failed, problem)
        for entry in left:
            self._call(entry.done, self._refusal(), [])
        for read in reads:
            read.fail(self._refusal())

    # ---- record.mark

    def _mark_path(self) -> Path:
        return self._path.with_suffix(".mark")

    def _write_mark(self) -> None:
        self._mark_due = time.monotonic() + MARK_EVERY
        try:
            mark = json.dumps({"group": self._synced}).encode() + b"\n"
            files.replace(self._mark_path(), mark, faults=self._faults, point="mark.renamed")
        except OSError as problem:
            if is_final(problem):
                raise
            return  # no room: the next one
        self._marked = self._synced

    def _read_mark(self) -> int:
        try:
            return int(json.loads(self._mark_path().read_bytes())["group"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _refusal(self) -> RecordFailed:
        return RecordFailed(f"{self._path} is closed") if self._error is None else _failure(self._path, self._error)

    def _call(self, function: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear it
            self._wake(function, *args)


class _Read:
    """A query that is waited for, or the opening, which is waited for in the same way."""

    def __init__(self, sql: str, params: Sequence[Any]) -> None:
        self._sql, self._params = sql, params
        self._event = threading.Event()
        self._rows: list[tuple[Any, ...]] = []
        self._problem: Exception | None = None

    def run(self, database: Database) -> None:
        try:
            self.answer(database.read(self._sql, self._params))
        except Exception as problem:
            self.fail(problem)
            if is_final(problem):
                raise

    def answer(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._event.set()

    def fail(self, problem: Exception) -> None:
        self._problem = problem
        self._event.set()

    def wait(self) -> list[tuple[Any, ...]]:
        self._event.wait()
        if self._problem is not None:
            raise self._problem
        return self._rows


def _failure(path: Path, problem: BaseException) -> RecordFailed:
    failure = RecordFailed(f"{path} could not be written: {problem}", hint="the disk is full" if is_full(problem) else None)
    failure.__cause__ = problem
    return failure


def _at_once(function: Callable[..., object], *args: object) -> None:
    function(*args)
