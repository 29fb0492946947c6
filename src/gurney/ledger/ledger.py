"""The one place for what a route process must know again after a restart: pins, capabilities, ambiguities (dicom.md §4 Pins, §5).

Keys of studies and objects are refs, keyed digests made outside: no patient data is here. Pins are written behind the traffic, in
batches of at most 100 ms; a *re*-pin and an ambiguity are written first, and whoever waits for them is called then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from gurney.config import limits

Statement = tuple[str, Sequence[Any]]

BATCH_SECONDS = limits.PIN_BATCH_MS / 1000
"""A pin or a capability is handed to the record at most so long after it was made (dicom.md §4)."""
TOUCH_SECONDS = 5.0
"""A touch alone, which only moves the end of a pin's 24 h, waits longer."""
RETRY_SECONDS = 1.0
"""A batch the disk had no room for is tried again after this."""
KEPT_SECONDS = limits.PIN_MS / 1000
"""A pin is kept this long after its study's last object."""
EXPIRED_SECONDS = KEPT_SECONDS - 60.0
"""From here on a row gives way to a new pin: the process forgot it a little earlier than the row, whose touches come late, shows."""
AMBIGUITY_KEPT_SECONDS = 30 * 24 * 3600.0

_PIN = """INSERT INTO ledger_pins (pool, ref, member, first, last) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (pool, ref) DO UPDATE SET member = iif(last <= ?, excluded.member, member), last = max(last, excluded.last)"""
_TOUCH = "UPDATE ledger_pins SET last = max(last, ?) WHERE pool = ? AND ref = ?"
_REPIN_FROM = """INSERT INTO ledger_pins (pool, ref, member, first, last) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (pool, ref) DO UPDATE SET member = excluded.member, last = max(last, excluded.last), repins = repins + 1 WHERE member = ?"""
_REPIN_NEW = """INSERT INTO ledger_pins (pool, ref, member, first, last) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (pool, ref) DO UPDATE SET member = excluded.member, last = excluded.last WHERE last <= ?"""
_WINNER = "SELECT member FROM ledger_pins WHERE pool = ? AND ref = ?"
_CAPABILITY = """INSERT INTO ledger_capabilities (member, calling_ae, abstract, transfer, word, learnt) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET word = excluded.word, learnt = excluded.learnt WHERE learnt <= excluded.learnt"""
_AMBIGUOUS = """INSERT INTO ledger_ambiguities (object_ref, member, study_ref, since, times) VALUES (?, ?, ?, ?, 1)
ON CONFLICT DO UPDATE SET since = excluded.since, times = times + 1, outcome = NULL"""


class Store(Protocol):
    """What the ledger needs of `disk.record.Record`."""

    def submit(self, statements: Sequence[Statement], done: Callable[[BaseException | None], None], full: bool = ...) -> None:
        """Write all or none, then call."""

    def exchange(
        self, statements: Sequence[Statement], done: Callable[[BaseException | None, list[tuple[Any, ...]]], None], full: bool = ...
    ) -> None:
        """The same, with the rows of the last statement."""

    def read(self, sql: str, params: Sequence[Any] = ...) -> list[tuple[Any, ...]]:
        """Rows, waited for."""


class Timers(Protocol):
    """What the ledger needs of an event loop."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Any:
        """Call once, after `delay` seconds."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A study's (or patient's) member; `last` is its last object, seconds since the epoch."""

    pool: str
    ref: str
    member: str
    last: float
    repins: int = 0


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the process before this one knew."""

    pins: tuple[Pin, ...]
    capabilities: Mapping[tuple[str, str, str, str], str]
    """(member, calling AE title, abstract syntax, transfer syntax) → accepted or refused."""
    ambiguities: frozenset[tuple[str, str]]
    """(object ref, member): sent whole, never answered, and nothing since said what became of it."""


class Ledger:
    """The ledger of one application. All calls, and all callbacks, are of the loop's thread."""

    SCHEMA: ClassVar[tuple[str, tuple[int, str]]] = (
        "ledger",
        (
            1,
            """
CREATE TABLE ledger_pins (
  pool TEXT NOT NULL, ref TEXT NOT NULL, member TEXT NOT NULL, first REAL NOT NULL, last REAL NOT NULL, repins INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (pool, ref)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_pins_last ON ledger_pins (last);
CREATE TABLE ledger_capabilities (
  member TEXT NOT NULL, calling_ae TEXT NOT NULL, abstract TEXT NOT NULL, transfer TEXT NOT NULL, word TEXT NOT NULL, learnt REAL NOT NULL,
  PRIMARY KEY (member, calling_ae, abstract, transfer)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger_ambiguities (
  object_ref TEXT NOT NULL, member TEXT NOT NULL, study_ref TEXT NOT NULL, since REAL NOT NULL, times INTEGER NOT NULL, outcome TEXT,
  PRIMARY KEY (object_ref, member)
) STRICT, WITHOUT ROWID;
""",
        ),
    )

    def __init__(self, record: Store, loop: Timers, troubled: Callable[[BaseException | None], None] = lambda error: None) -> None:
        """`troubled(error)` hears of a batch that could not be written, `troubled(None)` of the first one after it that could."""
        self._record = record
        self._loop = loop
        self._troubled = troubled
        self._pins: dict[tuple[str, str], tuple[str, float]] = {}
        self._touches: dict[tuple[str, str], float] = {}
        self._capabilities: dict[tuple[str, str, str, str], tuple[str, float]] = {}
        self._soon = False
        self._late = False
        self._under_way = 0
        self._in_trouble = False
        self._flushed: list[Callable[[], None]] = []

    def load(self, epoch: float) -> Remembered:
        """What is known at `epoch`, seconds since the epoch; what is past its time is left out. Before traffic; waits for the record."""
        pins = self._record.read(
            "SELECT pool, ref, member, last, repins FROM ledger_pins WHERE last > ? ORDER BY last", (epoch - KEPT_SECONDS,)
        )
        capabilities = self._record.read("SELECT member, calling_ae, abstract, transfer, word FROM ledger_capabilities")
        ambiguities = self._record.read("SELECT object_ref, member FROM ledger_ambiguities WHERE outcome IS NULL")
        return Remembered(
            tuple(Pin(*row) for row in pins), {row[:4]: row[4] for row in capabilities}, frozenset((row[0], row[1]) for row in ambiguities)
        )

    # ---- behind the traffic

    def pin(self, pool: str, ref: str, member: str, epoch: float) -> None:
        """A new pin. One that stands already is not moved by this, only touched."""
        if (pool, ref) in self._pins:
            self.touch(pool, ref, epoch)
            return
        self._pins[(pool, ref)] = (member, epoch)
        self._later()

    def touch(self, pool: str, ref: str, epoch: float) -> None:
        """An object of the key has come: its 24 h begin again."""
        self._touches[(pool, ref)] = epoch
        if not self._soon and not self._late:
            self._late = True
            self._loop.call_later(TOUCH_SECONDS, self._write)

    def capability(self, member: str, calling_ae: str, abstract: str, transfer: str, word: str, epoch: float) -> None:
        """What a member said of a pair, the last word."""
        self._capabilities[(member, calling_ae, abstract, transfer)] = (word, epoch)
        self._later()

    def flush(self, done: Callable[[], None]) -> None:
        """Hand the batch over now; `done()` once it and all before it are written. A new set of members waits for this."""
        self._flushed.append(done)
        self._write()
        self._settle()

    def expire(self, epoch: float) -> None:
        """Drop what is past its time; now and then."""
        self._send([
            ("DELETE FROM ledger_pins WHERE last <= ?", (epoch - KEPT_SECONDS,)),
            ("DELETE FROM ledger_ambiguities WHERE since <= ?", (epoch - AMBIGUITY_KEPT_SECONDS,)),
        ])  # fmt: skip

    # ---- written first

    def repin(self, pool: str, ref: str, old: str | None, new: str, epoch: float, done: Callable[[str | None], None]) -> None:
        """Move a pin from `old` (None: there is none) to `new`, if it stands as `old` says; `done(winner)` with what it is then.

        The loser of a race so reads the winner. `done(None)`: it could not be written, the pin is what it was.
        """
        self._write()  # what was pinned before is before it in the record's queue
        if old is None:
            move: Statement = (_REPIN_NEW, (pool, ref, new, epoch, epoch, epoch - EXPIRED_SECONDS))
        else:
            move = (_REPIN_FROM, (pool, ref, new, epoch, epoch, old))

        def answered(error: BaseException | None, rows: list[tuple[Any, ...]]) -> None:
            self._hear(error)
            done(None if error is not None or not rows else str(rows[0][0]))

        self._record.exchange([move, (_WINNER, (pool, ref))], answered)

    def ambiguous(
        self, object_ref: str, study_ref: str, member: str, epoch: float, done: Callable[[], None],
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:  # fmt: skip
        """An object was sent whole and not answered: written and synced before `done()`, so before anything is sent again.

        Without room on the disk it is tried again until there is, or given to `failed(error)` where that is given.
        """

        def written(error: BaseException | None) -> None:
            self._hear(error)
            if error is None:
                done()
            elif failed is not None:
                failed(error)
            else:
                self._loop.call_later(RETRY_SECONDS, write)

        def write() -> None:
            self._record.submit([(_AMBIGUOUS, (object_ref, member, study_ref, epoch))], written, full=True)

        write()

    def settle(self, object_ref: str, member: str, outcome: str) -> None:
        """What became of an ambiguous object on that member (a word: stored, refused, duplicate), once something said so."""
        self._send([("UPDATE ledger_ambiguities SET outcome = ? WHERE object_ref = ? AND member = ?", (outcome, object_ref, member))])

    # ---- batches

    def _later(self) -> None:
        if not self._soon:
            self._soon = True
            self._loop.call_later(BATCH_SECONDS, self._write)

    def _write(self) -> None:
        self._soon = self._late = False
        if not self._pins and not self._touches and not self._capabilities:
            return
        pins, self._pins = self._pins, {}
        touches, self._touches = self._touches, {}
        capabilities, self._capabilities = self._capabilities, {}
        statements: list[Statement] = []
        statements += [(_PIN, (*key, member, epoch, epoch, epoch - EXPIRED_SECONDS)) for key, (member, epoch) in pins.items()]
        statements += [(_TOUCH, (epoch, *key)) for key, epoch in touches.items()]
        statements += [(_CAPABILITY, (*key, word, epoch)) for key, (word, epoch) in capabilities.items()]
        self._send(statements)

    def _send(self, statements: Sequence[Statement]) -> None:
        """Hand over a batch, and again while the disk has no room: each of its statements may be repeated."""
        self._under_way += 1

        def written(error: BaseException | None) -> None:
            self._hear(error)
            if error is not None:
                self._loop.call_later(RETRY_SECONDS, again)
                return
            self._under_way -= 1
            self._settle()

        def again() -> None:
            self._record.submit(statements, written)

        again()

    def _settle(self) -> None:
        if self._under_way == 0:
            waiting, self._flushed = self._flushed, []
            for done in waiting:
                done()

    def _hear(self, error: BaseException | None) -> None:
        if error is not None or self._in_trouble:
            self._in_trouble = error is not None
            self._troubled(error)
