"""The one place for revisions: every applied document, word for word, what the files it names held, who applied it, why, and what became
of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from gurney.config.proxied import Material
from gurney.errors import NotFound, StateUnusable
from gurney.state.database import Database, Value

_COLUMNS = "n, file, text, digest, time, who, why, before, pending_until, served, failed, materials, folder"
KEPT = 100  # revisions whose materials are kept: `undo` reaches back as far


@dataclass(frozen=True, slots=True)
class Revision:
    """One applied document.

    `time` and `pending_until` are seconds since the epoch. `before` is the revision `undo` goes back to. `pending_until` is set while
    an `apply --confirm` waits to be confirmed. `served` is when every engine had confirmed it for the first time; None: its apply is under
    way, or was cut short. `failed` says why no engine serves it; such a revision is never resumed. `materials` are the files the document
    names, by name as written, without their contents; `folder` is where those names begin (absolute; None: nobody said).
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
    materials: Mapping[str, Material] = field(default_factory=dict)
    folder: str | None = None

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
            "files": {name: _material_json(one) for name, one in self.materials.items()},
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
        materials: Mapping[str, Material] | None = None,
        folder: str | None = None,
    ) -> Revision:
        """Write a new revision, durably, and return it. The contents of `materials` are kept elsewhere, and before."""
        with self._database.transaction():
            highest = self._database.rows("SELECT coalesce(max(n), 0) FROM revision")[0][0]
            n = cast(int, highest) + 1
            bare = {name: Material(one.kind, one.digest, one.names, one.expires) for name, one in (materials or {}).items()}
            revision = Revision(n, file, text, digest(text), now, who, why, before, pending_until, None, None, bare, folder)
            written = json.dumps({name: _material_json(one) for name, one in bare.items()}, sort_keys=True)
            self._database.write(
                f"INSERT INTO revision ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (n, file, text, revision.digest, now, who, why, before, pending_until, None, None, written, folder),
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

    def needed(self) -> frozenset[str]:
        """The digests of every material that one of the kept revisions needs."""
        rows = self._database.rows("SELECT materials FROM revision ORDER BY n DESC LIMIT ?", (KEPT,))
        return frozenset(one.digest for row in rows for one in _materials(row[0]).values())

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
    *plain, materials, folder = row
    known = cast("tuple[int, str, str, str, float, str, str | None, int | None, float | None, float | None, str | None]", tuple(plain))
    return Revision(*known, _materials(materials), cast("str | None", folder))


def _materials(written: Value) -> dict[str, Material]:
    try:
        return {
            name: Material(one["kind"], one["digest"], tuple(one["names"]), one["expires"])
            for name, one in json.loads(str(written)).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateUnusable("state.db remembers the files of a revision in a way nobody can read") from error


def _material_json(one: Material) -> dict[str, object]:
    return {"kind": one.kind, "digest": one.digest, "names": list(one.names), "expires": one.expires}
