"""The record: what is reported as done is there after a kill, an I/O error is final, one owner at a time, settings are read back."""

from __future__ import annotations

import os
import random
import select
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from gurney.disk import database, faults
from gurney.disk.database import SETTINGS
from gurney.disk.record import GROUP_ENTRIES, Record
from gurney.errors import RecordFailed, StateUnusable

SCHEMA = {"numbers": (1, "CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT) STRICT")}
INSERT = "INSERT INTO numbers VALUES (?, ?)"
WAL = 64 * 1024
BOUND = 20.0


def wait(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + BOUND
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def write(record: Record, *numbers: int, full: bool = False, text: str = "x") -> list[BaseException | None]:
    """Write numbers, each an entry of its own; what was said of each."""
    said: list[BaseException | None] = []
    for number in numbers:
        record.submit([(INSERT, (number, text))], said.append, full)
    wait(lambda: len(said) == len(numbers))
    return said


def numbers(record: Record) -> set[int]:
    return {row[0] for row in record.read("SELECT n FROM numbers")}


def reopened(path: Path) -> set[int]:
    record = Record(path, SCHEMA, wal_bytes=WAL, wait=BOUND)
    try:
        assert record.read("PRAGMA integrity_check") == [("ok",)]
        assert record.lost == 0
        return numbers(record)
    finally:
        record.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record.db"


def test_what_is_written_is_there_again(path: Path) -> None:
    record = Record(path, SCHEMA, wal_bytes=WAL)
    assert write(record, *range(100)) == [None] * 100
    assert write(record, 100, full=True) == [None]
    record.close()
    record.close()
    assert reopened(path) == set(range(101))
    assert {entry.name for entry in path.parent.iterdir()} == {"record.db", "record.db-wal", "record.mark"}
    assert all(entry.stat().st_mode & 0o777 == 0o600 for entry in path.parent.iterdir())


def test_settings_are_those_of_the_page_and_read_back(path: Path) -> None:
    record = Record(path, SCHEMA)
    for pragma, _, expected in SETTINGS:
        assert record.read(f"PRAGMA {pragma}") == [(expected,)], pragma
    assert path.with_name("record.db-wal").stat().st_size >= database.WAL_BYTES
    record.close()
    assert path.with_name("record.db-wal").stat().st_size >= database.WAL_BYTES, "written ahead once, never cut"


def test_another_page_size_is_refused(path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("PRAGMA page_size = 8192; CREATE TABLE t (x)")
    other.close()
    with pytest.raises(RecordFailed, match="page_size is 8192, not 4096"):
        Record(path, SCHEMA)


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(RecordFailed, match="cannot be opened"):
        Record(path, SCHEMA)


def test_a_newer_schema_is_refused_and_an_older_one_taken_further(path: Path) -> None:
    Record(path, SCHEMA, wal_bytes=WAL).close()
    newer = {"numbers": (2, (SCHEMA["numbers"][1], "ALTER TABLE numbers ADD COLUMN more TEXT"))}
    record = Record(path, newer, wal_bytes=WAL)
    assert record.read("SELECT n, text, more FROM numbers") == []
    record.close()
    with pytest.raises(StateUnusable, match="numbers is of version 2, this program knows 1"):
        Record(path, SCHEMA)
    record = Record(path, {**newer, "spool": (1, "CREATE TABLE spool (id INTEGER) STRICT")}, wal_bytes=WAL)
    assert record.read("SELECT client, version FROM record_schema ORDER BY 1") == [("numbers", 2), ("spool", 1)]
    record.close()


def test_a_group_is_what_arrived_meanwhile_up_to_its_cap(path: Path) -> None:
    record = Record(path, SCHEMA, wal_bytes=WAL, faults=faults.parse("group.begun=delay:100@1"))
    said: list[BaseException | None] = []
    for number in range(1 + 2 * GROUP_ENTRIES):
        record.submit([(INSERT, (number, "x"))], said.append)
        wait(lambda: number or record.pending == 0)  # noqa: B023
    wait(lambda: len(said) == 1 + 2 * GROUP_ENTRIES)
    assert record.groups_unsynced + record.groups_synced in (3, 4), "one alone, two of the cap (and the sync of the mark row)"
    record.close()


def test_an_entry_that_fails_fails_alone(path: Path) -> None:
    record = Record(path, SCHEMA, wal_bytes=WAL, faults=faults.parse("group.begun=delay:50@1"))
    said: dict[int, BaseException | None] = {}
    for key, statements in enumerate([
        [(INSERT, (0, "x"))],
        [(INSERT, (1, "x"))],
        [(INSERT, (2, "x")), (INSERT, (1, "again"))],
        [("no sql", ())],
        [(INSERT, (3, "x"))],
    ]):  # fmt: skip
        record.submit(statements, lambda error, key=key: said.__setitem__(key, error))  # type: ignore[misc]
    wait(lambda: len(said) == 5)
    assert [type(said[key]) for key in range(5)] == [type(None), type(None), RecordFailed, RecordFailed, type(None)]
    assert numbers(record) == {0, 1, 3}
    rows: list[Any] = []
    record.exchange([(INSERT, (9, "x")), ("SELECT count(*) FROM numbers", ())], lambda error, found: rows.extend([error, found]))
    wait(lambda: rows)
    assert rows == [None, [(4,)]]
    record.close()


def test_a_group_without_a_sync_is_synced_soon(path: Path) -> None:
    record = Record(path, SCHEMA, wal_bytes=WAL)
    synced = record.groups_synced
    write(record, 1)
    wait(lambda: record.groups_synced == synced + 1)
    write(record, 2, full=True)
    assert record.groups_synced == synced + 2
    record.close()


def test_the_mark_names_the_last_synced_group_and_a_lost_wal_is_seen(path: Path) -> None:
    record = Record(path, SCHEMA, wal_bytes=1024 * 1024)
    write(record, *range(10), full=True)
    wait(lambda: path.with_suffix(".mark").exists())
    wal = path.with_name("record.db-wal")
    copy = path.read_bytes(), wal.read_bytes()
    record.close()
    path.write_bytes(copy[0])
    wal.write_bytes(copy[1][:8192])  # as if a disk had lost what it had promised
    record = Record(path, SCHEMA, wal_bytes=WAL)
    assert record.lost > 0
    record.close()


def test_checkpoints_keep_the_wal_at_its_size(path: Path) -> None:
    plan = faults.parse("")
    record = Record(path, SCHEMA, wal_bytes=WAL, faults=plan)
    for start in range(0, 2000, 100):
        write(record, *range(start, start + 100), text="x" * 1000)
    assert plan.passed["checkpoint.after"] > 10
    assert path.with_name("record.db-wal").stat().st_size < 6 * WAL, "a group may be longer than the WAL written ahead"
    record.close()
    assert reopened(path) == set(range(2000))


def test_callbacks_go_through_wake(path: Path) -> None:
    calls: list[tuple[Callable[..., object], tuple[object, ...]]] = []
    record = Record(path, SCHEMA, wal_bytes=WAL, wake=lambda call, *args: calls.append((call, args)))
    said: list[BaseException | None] = []
    record.submit([(INSERT, (1, "x"))], said.append)
    wait(lambda: calls)
    assert not said
    for call, args in calls:
        call(*args)
    assert said == [None]
    record.close()
    record.submit([(INSERT, (2, "x"))], said.append)
    call, args = calls[-1]
    call(*args)
    assert isinstance(said[-1], RecordFailed)
    with pytest.raises(RecordFailed):
        record.read("SELECT 1")


# ---- no room, and broken for good


def test_no_room_is_said_to_that_group_and_the_next_is_tried(path: Path) -> None:
    record = Record(path, SCHEMA, wal_bytes=WAL, faults=faults.parse("group.begun=enospc@2"))
    assert write(record, 1) == [None]
    [error] = write(record, 2)
    assert isinstance(error, RecordFailed) and error.hint == "the disk is full"
    assert write(record, 3, full=True) == [None]
    record.close()
    assert reopened(path) == {1, 3}


@pytest.mark.parametrize("point", ["group.begun", "group.committed", "checkpoint.before", "mark.renamed"])
def test_an_io_error_is_final(path: Path, point: str) -> None:
    failed: list[BaseException] = []
    record = Record(path, SCHEMA, wal_bytes=4096, faults=faults.parse(f"{point}=eio@1"), failed=failed.append)
    said: list[BaseException | None] = []
    number = 0
    while not failed:
        record.submit([(INSERT, (number, "x"))], said.append, full=True)
        number += 1
        wait(lambda: len(said) == number)  # noqa: B023
    assert len(failed) == 1
    reported = {n for n, error in enumerate(said) if error is None}
    assert isinstance(write(record, 1000)[0], RecordFailed)
    with pytest.raises(RecordFailed):
        record.read("SELECT 1")
    record.close()
    left = reopened(path)
    assert reported <= left and 1000 not in left


class Shim(apsw.VFS):  # type: ignore[misc]
    """A VFS whose nth call of one kind, counted from `arm`, fails as a broken disk does."""

    def __init__(self, call: str) -> None:
        self.call, self.left = call, -1
        self.syncs = 0
        self.name = f"shim-{call}"
        super().__init__(self.name, "")

    def arm(self, nth: int) -> None:
        self.left = nth

    def count(self, call: str) -> None:
        if call == self.call and self.left > 0:
            self.left -= 1
            if self.left == 0:
                raise apsw.IOError("a broken disk")

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802
        return ShimFile(self, name, flags)


class ShimFile(apsw.VFSFile):  # type: ignore[misc]
    def __init__(self, shim: Shim, name: Any, flags: list[int]) -> None:
        self.shim = shim
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.shim.count("write")
        super().xWrite(data, offset)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self.shim.count("read")
        return bytes(super().xRead(amount, offset))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.shim.count("sync")
        self.shim.syncs += 1
        super().xSync(flags)


@pytest.mark.parametrize("call", ["write", "sync"])
def test_d6_after_a_failed_call_nothing_is_reported(tmp_path: Path, call: str) -> None:
    """Reliability D6: EIO at call n of write and fsync, n = 1 to 20: no answer after it, and all answered before it is there."""
    shim = Shim(call)
    answered = after = 0
    for nth in range(1, 21):
        path = tmp_path / f"{nth}" / "record.db"
        path.parent.mkdir()
        failed: list[BaseException] = []
        record = Record(path, SCHEMA, wal_bytes=16 * 1024, vfs=shim.name, failed=failed.append)
        said: list[BaseException | None] = []
        late: list[bool] = []
        shim.arm(nth)
        for number in range(60):
            record.submit([(INSERT, (number, "x" * 500))], lambda error: (said.append(error), late.append(bool(failed))), full=True)  # noqa: B023
            wait(lambda: len(said) == number + 1)  # noqa: B023
        record.close()
        assert failed
        reported = {number for number, error in enumerate(said) if error is None}
        answered += len(reported)
        after += sum(error is None and was for error, was in zip(said, late, strict=True))
        assert reported <= reopened(path)
    del shim
    print(f"D6-{call} n=20 answered={answered} answered_after_failure={after}")
    assert after == 0


def test_a_group_is_synced_once_or_left_to_the_mark_row(path: Path) -> None:
    """One sync a full group, none a group without, one for all of these ≤ 100 ms later: counted, not timed."""
    shim = Shim("none")
    record = Record(path, SCHEMA, wal_bytes=1024 * 1024, vfs=shim.name)
    write(record, 0, full=True)
    before = shim.syncs
    for number in range(1, 6):
        write(record, number, full=True)
    assert shim.syncs == before + 5
    groups = record.groups_synced
    write(record, 6)
    wait(lambda: record.groups_synced == groups + 1)
    assert shim.syncs == before + 6
    record.close()


# ---- killed


def owner(path: Path, told: int, plan: str, full: bool) -> None:
    """A forked owner: writes numbers without end and tells of each that was reported as done."""
    try:
        record = Record(path, SCHEMA, wal_bytes=16 * 1024, faults=faults.parse(plan), wait=BOUND)
        start = 1 + max(numbers(record), default=-1)
        room = threading.Semaphore(32)
        for number in range(start, start + 100_000):
            room.acquire()

            def done(error: BaseException | None, number: int = number) -> None:
                if error is None:
                    os.write(told, struct.pack("q", number))
                room.release()

            record.submit([(INSERT, (number, "x" * (number % 300)))], done, full or number % 7 == 0)
    finally:
        os._exit(1)


def killed(path: Path, plan: str, *, full: bool, after: float | None) -> set[int]:
    """Run an owner until it is killed, by its plan or by us after so many seconds; the numbers it told of."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        owner(path, told, plan, full)
    os.close(told)
    data = b""
    deadline = None if after is None else time.monotonic() + after
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([ready], [], [], BOUND if left is None else left)[0]:
            os.kill(child, signal.SIGKILL)
            deadline = None
            continue
        chunk = os.read(ready, 65536)
        if not chunk:
            break
        data += chunk
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            deadline = None
    _, status = os.waitpid(child, 0)
    os.close(ready)
    assert os.WTERMSIG(status) == signal.SIGKILL, "the owner ended by itself"
    return {number for (number,) in struct.iter_unpack("q", data[: len(data) // 8 * 8])}


@pytest.fixture
def quiet() -> Iterator[None]:
    """No thread of an earlier test may live while we fork."""
    wait(lambda: threading.active_count() == 1 or all(not thread.name.startswith("record") for thread in threading.enumerate()))
    yield


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "point", ["group.begun", "group.committed", "checkpoint.before", "checkpoint.after", "mark.renamed", "recover.opened"]
)
def test_d1_killed_at_a_crash_point(path: Path, point: str, full: bool, quiet: None) -> None:
    told: set[int] = set()
    for nth in (1,) if point in ("recover.opened", "mark.renamed") else (1, 2, 9):
        told |= killed(path, f"{point}=kill@{nth}", full=full, after=None)
        assert told <= reopened(path)
    print(f"D1-{point} full={full} told={len(told)} lost={len(told - reopened(path))}")


def test_d1_killed_at_any_moment(path: Path, quiet: None) -> None:
    chance = random.Random(1)
    told: set[int] = set()
    for _ in range(10):
        told |= killed(path, "", full=False, after=chance.uniform(0.05, 0.25))
        assert told <= reopened(path)
    print(f"D1-random kills=10 told={len(told)} lost={len(told - reopened(path))}")
    assert told


# ---- one owner


def test_a_second_owner_waits_for_the_first(path: Path) -> None:
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        record = Record(path, SCHEMA, wal_bytes=WAL)
        write(record, 1)
        os.write(told, b"x")
        signal.pause()
    os.read(ready, 1)
    with pytest.raises(RecordFailed, match="owned by another process"):
        Record(path, SCHEMA, wait=0.1)
    opened: list[Record] = []
    waiter = threading.Thread(target=lambda: opened.append(Record(path, SCHEMA, wal_bytes=WAL, wait=BOUND)))
    waiter.start()
    assert not opened
    os.kill(child, signal.SIGKILL)
    waiter.join(BOUND)
    os.waitpid(child, 0)
    assert numbers(opened[0]) == {1}
    opened[0].close()
    os.close(ready)
    os.close(told)
