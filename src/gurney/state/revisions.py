"""The one place for revisions: every applied document, word for word, who applied it, why, and what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import cast

from gurney.errors import NotFound
from gurney.state.database import Database, Value

_COLUMNS = "n, file, text, digest, time, who, why, before, pending_until, served, failed"


@dataclass(frozen=True, slots=True)
class Revision:
    """One applied document.

    `time` and `pending_until` are seconds since the epoch. `before` is the revision `undo` goes back to. `pending_until` is set while
    an `apply --confirm` waits to be confirmed. `served` is when every engine had confirmed it for the first time; None: its apply is under
    way, or was cut short. `failed` says why no engine serves it; such a revision is never resumed.
    """

    n: int
    file: str
    text: str
    digest: str
    time: float
    who: str
    why: str | None
    before: int | None
    pending_until: float | None
    served: float | None
    failed: str | None

    def as_json(self) -> dict[str, object]:
        """All but the text."""
        return {
            "revision": self.n,
            "file": self.file,
            "digest": self.digest,
            "time": self.time,
            "who": self.who,
            "why": self.why,
            "before": self.before,
            "pending_until": self.pending_until,
            "served": self.served,
            "failed": self.failed,
        }


def digest(text: str) -> str:
    """The digest by which two documents are the same: SHA-256 of their UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


class Revisions:
    """The revisions in `state.db`. Numbers count up and are never used again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        text: str,
        file: str,
        now: float,
        who: str,
        why: str | None = None,
        before: int | None = None,
        pending_until: float | None = None,
    ) -> Revision:
        """Write a new revision, durably, and return it."""
        with self._database.transaction():
            highest = self._database.rows("SELECT coalesce(max(n), 0) FROM revision")[0][0]
            n = cast(int, highest) + 1
            revision = Revision(n, file, text, digest(text), now, who, why, before, pending_until, None, None)
            self._database.write(
                f"INSERT INTO revision ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (n, file, text, revision.digest, now, who, why, before, pending_until, None, None),
            )
        return revision

    def newest(self) -> Revision | None:
        """The revision that is wanted: the newest one that did not fail."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM revision WHERE failed IS NULL ORDER BY n DESC LIMIT 1")
        return _revision(rows[0]) if rows else None

    def get(self, n: int) -> Revision:
        """Revision `n`, or `NotFound`."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM revision WHERE n = ?", (n,))
        if not rows:
            raise NotFound(f"there is no revision {n}")
        return _revision(rows[0])

    def recent(self, limit: int = 100) -> list[Revision]:
        """The newest revisions, newest first."""
        return [_revision(row) for row in self._database.rows(f"SELECT {_COLUMNS} FROM revision ORDER BY n DESC LIMIT ?", (limit,))]

    def fail(self, n: int, reason: str) -> None:
        """No engine serves revision `n`, and it waits for no confirmation."""
        self._database.write("UPDATE revision SET failed = ?, pending_until = NULL WHERE n = ?", (reason, n))

    def serve(self, n: int, now: float) -> Revision:
        """Every engine has confirmed revision `n`."""
        self._database.write("UPDATE revision SET served = ? WHERE n = ?", (now, n))
        return self.get(n)

    def settle(self, n: int) -> None:
        """Revision `n` and those before it wait for no confirmation any more."""
        self._database.write("UPDATE revision SET pending_until = NULL WHERE n <= ?", (n,))

    def extend(self, n: int, until: float) -> None:
        """Revision `n` waits for its confirmation until `until`."""
        self._database.write("UPDATE revision SET pending_until = ? WHERE n = ?", (until, n))


def _revision(row: tuple[Value, ...]) -> Revision:
    return Revision(*cast("tuple[int, str, str, str, float, str, str | None, int | None, float | None, float | None, str | None]", row))
