"""The one place for what becomes of the files a document names after they were taken up: they expire, and they are renewed on disk.

A file that changed on disk and is good is taken up by itself, as a new revision of the same document. One that a revision held before is
not: somebody went back from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from gurney.config.proxied import Material
from gurney.control.certificates import signature
from gurney.control.conditions import (
    CERTIFICATE_CHANGED,
    CERTIFICATE_EXPIRED,
    CERTIFICATE_EXPIRES,
    Condition,
    when,
)
from gurney.control.control import Control
from gurney.control.draft import Draft, read, with_files
from gurney.errors import DocumentRefused, EngineRefused
from gurney.state.revisions import Revision

SOON_SECONDS = 30 * 24 * 3600.0
_CALLED = {"certificate": "certificate", "ca": "authority", "crl": "revocation list"}

Signature = tuple[tuple[object, ...], ...]


class Renewal:
    """Looks at the files of the newest revision; `look` is called again and again by one thread."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._looked: tuple[int, Signature] | None = None  # the revision and the files last judged
        self._before: tuple[int, Signature] | None = None  # as they were in the look before: what still changes is left alone

    def look(self) -> None:
        """Take up what was renewed; hold the conditions that follow. Raises `StateUnusable` when nothing can be kept."""
        control = self._control
        revision = control.revision
        held = list(of_dates(revision.materials if revision is not None else {}, control.clock()))
        control.conditions.hold("dates", held, control.clock())
        if revision is None or revision.folder is None or not revision.materials or control.decision is None:
            control.conditions.hold("files", [], control.clock())
            return
        now = (revision.n, signature(revision.materials, Path(revision.folder)))
        if now != self._before:
            self._before = now
        elif now != self._looked:
            self._looked = now
            control.conditions.hold("files", self._judge(revision), control.clock())

    def _judge(self, revision: Revision) -> list[Condition]:
        """What is still to be said of the files on disk once everything good was taken up."""
        control = self._control
        try:
            draft = with_files(read(revision.text, revision.file), Path(str(revision.folder)), control.clock())
        except DocumentRefused as error:
            words = "; ".join(str(fault["message"]) for fault in error.faults if fault["severity"] == "error")
            return [Condition(CERTIFICATE_CHANGED, f"not taken up: {words}", revision.file)]
        changed = [name for name, one in draft.files.items() if _digest(revision.materials, name) != one.digest]
        if not changed:
            return []
        if self._gone_back_from(draft, changed):
            reason = "what lies there served before and was gone back from; it is taken up by `gurney apply FILE`"
            return [Condition(CERTIFICATE_CHANGED, reason, name) for name in changed]
        try:
            control.renew(draft, f"{', '.join(changed)} changed on disk")
        except EngineRefused as error:
            return [Condition(CERTIFICATE_CHANGED, f"not taken up: {error.message}", name) for name in changed]
        return []

    def _gone_back_from(self, draft: Draft, changed: list[str]) -> bool:
        """True if all that changed is what some revision held already."""
        known = self._control.known_files()
        return all(draft.files[name].digest in known for name in changed)


def of_dates(materials: Mapping[str, Material], now: float) -> Iterator[Condition]:
    """What has expired, and what will within 30 days."""
    for name, one in materials.items():
        if one.expires is None or one.kind not in _CALLED:
            continue
        if one.expires <= now:
            yield Condition(CERTIFICATE_EXPIRED, f"the {_CALLED[one.kind]} ended {when(one.expires)}", name)
        elif one.expires <= now + SOON_SECONDS and one.kind != "crl":  # a list is issued anew every few days
            yield Condition(CERTIFICATE_EXPIRES, f"the {_CALLED[one.kind]} ends {when(one.expires)}", name)


def _digest(materials: Mapping[str, Material], name: str) -> str | None:
    return materials[name].digest if name in materials else None
