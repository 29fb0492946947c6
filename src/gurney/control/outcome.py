"""The one place for what a change answers to whoever asked for it: the revision, the steps, warnings, grants, and what engines said
meanwhile."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from gurney.compile.route import listener_name
from gurney.control.conditions import when
from gurney.control.decide import Decision, granted, listens_of
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


def placed(error: GurneyError, decision: Decision) -> GurneyError:
    """A refusal that is about something in the document, with the line it stands at in front."""
    if not isinstance(error, EngineRefused):
        return error
    path = error.path if error.path is not None else _of_listener(error.message, decision)
    place = decision.draft.place(path) if path is not None else None
    return EngineRefused(f"{place}: {error.message}", hint=error.hint, path=path) if place is not None else error


def _of_listener(message: str, decision: Decision) -> str | None:
    """The document path of the listener a refusal names (`cannot listen on *:11112: …`): the guard knows names, no documents."""
    for application in decision.document.applications.values():
        for path, listen in listens_of(application):
            if re.search(rf"(?<![\w.:*\]]){re.escape(listener_name(listen))}(?!\w)", message):
                return path
    return None
