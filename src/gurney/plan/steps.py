"""The one place for what a plan is made of: processes as they are and as they are to be, and steps.

The order of the steps is the matter of `order`, their words that of `wording`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gurney.config.document import Application
from gurney.plan.difference import Difference, differences

Key = tuple[str, str]  # application, engine
Listener = tuple[str, str, int]  # name, host ("" for every address), port
Sessions = Mapping[Key, Mapping[str, int]]
"""Open sessions of each engine: by SERVICE, and by POOL/MEMBER those a member has."""


@dataclass(frozen=True, slots=True)
class Process:
    """One engine's process of one application, as it is or as it is to be; what a plan needs to know of it.

    `application` holds the part of the document it serves (None, as `generation`, when nobody can tell). `shape` is what cannot change
    without a new process of the engine (a reload); None: it never needs one. `listeners_by_load`: its listeners come and go with the
    configuration it loads, nobody binds them for it. `program` is what people call it, `granted` says which limits it was granted and why.
    """

    application: Application | None
    generation: str | None
    listeners: tuple[Listener, ...]
    shape: str | None = None
    listeners_by_load: bool = False
    program: str = "route process"
    granted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `kind`: start-application · bind · load · unbind · stop-application.

    `detail` is for people. `listeners` is the whole set the process has after the step, `generation` what it serves then. `cuts`: how
    many sessions end by it. `changes`: what it changes in the document. `gap`: addresses let go by it that another step takes over;
    until then nobody listens there.
    """

    kind: str
    application: str
    engine: str
    detail: str
    listeners: tuple[Listener, ...]
    generation: str | None
    cuts: int = 0
    changes: tuple[Difference, ...] = ()
    gap: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """Whose configuration it is about."""
        return self.application, self.engine

    def as_json(self) -> dict[str, Any]:
        """JSON-ready; `text` holds the detail and, a line each, the changes."""
        return {
            "engine": self.engine,
            "kind": self.kind,
            "application": self.application,
            "text": "\n".join((f"{self.application}: {self.detail}", *(f"     {change}" for change in self.changes))),
            "cuts": self.cuts,
            "gap": list(self.gap),
            "generation": self.generation,
            "changes": [{"path": change.path, "text": change.text} for change in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order; none when what runs is what is wanted."""

    steps: tuple[Step, ...] = ()
    changes: tuple[Difference, ...] = field(default=())

    @property
    def cuts(self) -> int:
        """How many sessions all steps end."""
        return sum(step.cuts for step in self.steps)


def overlap(one: Listener, other: Listener) -> bool:
    """True if both cannot be listened on at once: one port, and one address or one of them every address."""
    return one[2] == other[2] and (one[1] == other[1] or "" in (one[1], other[1]))


def changed(before: Process | None, after: Process | None) -> tuple[Difference, ...]:
    """What changes in the document; nothing when nobody can tell what is served."""
    if before is not None and before.application is None:
        return ()
    return differences(before.application if before else None, after.application if after else None)
