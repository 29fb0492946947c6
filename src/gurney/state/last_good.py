"""The one place for the last good file of each engine and application: what an engine confirmed that it serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from gurney.state.database import Database


@dataclass(frozen=True, slots=True)
class Good:
    """What `engine` confirmed for `application`: the generation and the exact bytes."""

    application: str
    engine: str
    generation: str
    content: bytes


class LastGood:
    """The last good files in `state.db`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Good, ...]:
        """Every last good file."""
        rows = self._database.rows("SELECT application, engine, generation, content FROM last_good ORDER BY application, engine")
        return tuple(Good(*cast("tuple[str, str, str, bytes]", row)) for row in rows)

    def put(self, good: Good, now: float) -> None:
        """Remember what was confirmed, over what was before."""
        self._database.write(
            "INSERT OR REPLACE INTO last_good (application, engine, generation, content, time) VALUES (?,?,?,?,?)",
            (good.application, good.engine, good.generation, good.content, now),
        )

    def drop(self, application: str, engine: str) -> None:
        """The application no longer has this engine."""
        self._database.write("DELETE FROM last_good WHERE application = ? AND engine = ?", (application, engine))
