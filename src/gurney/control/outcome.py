"""The one place for what a change answers to whoever asked for it: the revision, the steps, warnings, grants, and what engines said
meanwhile."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from gurney.control.conditions import when
from gurney.control.decide import Decision, granted
from gurney.control.draft import Draft
from gurney.errors import EngineRefused, GurneyError
from gurney.state.revisions import Revision

KEPT = 100  # lines of one change


class Telling:
    """What engines say while they work (`waiting for old workers to end: …`): passed on, and kept for the change that is in hand."""

    def __init__(self, tell: Callable[[str], None] = lambda text: None) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._kept: deque[str] = deque(maxlen=KEPT)

    def __call__(self, text: str) -> None:
        """Say it."""
        with self._lock:
            self._kept.append(text)
        self._tell(text)

    def taken(self) -> list[str]:
        """What was said since the last time this was asked."""
        with self._lock:
            texts, self._kept = list(self._kept), deque(maxlen=KEPT)
        return texts


def outcome(revision: Revision | None, decision: Decision, *, changed: bool, said: list[str] | None = None) -> dict[str, Any]:
    """JSON-ready. `said`: what engines said meanwhile."""
    return {
        "revision": revision.n if revision is not None else None,
        "changed": changed,
        "steps": decision.steps_as_json(),
        "said": said or [],
        "warnings": list(decision.draft.warnings),
        "granted": granted(decision.processes),
        "pending_until": when(revision.pending_until) if revision is not None and revision.pending_until is not None else None,
    }


def placed(error: GurneyError, draft: Draft) -> GurneyError:
    """A refusal that names a document path, with the line it stands at in front."""
    place = draft.place(error.path) if isinstance(error, EngineRefused) and error.path is not None else None
    return EngineRefused(f"{place}: {error.message}", hint=error.hint) if place is not None else error
