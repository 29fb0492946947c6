"""The one place where overrides are remembered: wanted state by a person or a decision, kept across applies and restarts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from gurney.config.overrides import Override
from gurney.state.database import Database


class Overrides:
    """The overrides in `state.db`, at most one an object."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Override, ...]:
        """Every override, by object."""
        rows = self._database.rows("SELECT object, word, until, why, by, since FROM override ORDER BY object")
        return tuple(Override(*cast("tuple[str, str, float | None, str | None, str, float]", row)) for row in rows)

    def put(self, overrides: Iterable[Override]) -> None:
        """Set each of them, all or none, over what its object had."""
        with self._database.transaction():
            for one in overrides:
                self._database.write(
                    "INSERT OR REPLACE INTO override (object, word, until, why, by, since) VALUES (?,?,?,?,?,?)",
                    (one.object, one.word, one.until, one.why, one.by, one.since),
                )

    def drop(self, objects: Iterable[str]) -> None:
        """Forget the overrides of these objects, all or none."""
        with self._database.transaction():
            for name in objects:
                self._database.write("DELETE FROM override WHERE object = ?", (name,))
