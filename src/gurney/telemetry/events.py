"""The one place for what may stand in a log line: a closed list of events and their fields (dicom.md §9, reliability.md §7).

A field's kind says what becomes of its value: `peer` text is escaped ASCII of at most 64 characters, `ref` is nothing but a keyed digest,
`text` is our own words (escaped, at most 400 characters), numbers and truth values stand as they are. No field holds a value of a data
set, and a UID appears as its ref or, for SOP classes and transfer syntaxes, as the public name it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["number", "text", "peer", "ref", "flag"]

FIELDS: Mapping[str, Kind] = {
    "app": "text", "service": "text", "pool": "text", "member": "text", "rule": "text", "listener": "text", "node": "text",
    "calling_ae": "peer", "called_ae": "peer", "peer": "peer", "implementation": "peer", "comment": "peer",
    "abstract": "peer", "transfer": "peer",
    "study_ref": "ref", "object_ref": "ref", "patient_ref": "ref",
    "association": "number", "objects": "number", "bytes": "number", "seconds": "number", "attempts": "number", "count": "number",
    "status": "text", "outcome": "text", "reason": "text", "cause": "text", "source": "text", "result": "text", "offset": "number",
    "was": "text", "now": "text", "by": "text", "word": "text", "why": "text", "code": "text", "object": "text", "limit": "text",
    "possible_duplicate": "flag", "adopted": "flag", "started": "flag", "full": "flag",
    "name": "text", "names": "text", "pid": "number", "signal": "number", "exit": "text", "restarts": "number", "path": "text",
    "generation": "text", "revision": "number", "verb": "text", "step": "text", "steps": "number", "group": "number", "version": "text",
    "errno": "text", "error": "text",
}  # fmt: skip
"""Every field a line may have, and its kind."""

_WHO = ("app", "service", "calling_ae", "called_ae", "peer", "association")
_MEMBER = ("app", "pool", "member")
_ERROR = ("error", "cause", "reason", "errno")

EVENTS: Mapping[str, tuple[str, ...]] = {
    # DICOM (dicom.md §9)
    "association.opened": (*_WHO, "implementation", "listener", "count"),
    "association.rejected": (*_WHO, "result", "source", "reason", "why", "listener", "limit"),
    "association.aborted": (*_WHO, *_MEMBER, "source", "reason", "by", "why", "objects", "bytes", "seconds"),
    "association.released": (*_WHO, "objects", "bytes", "seconds"),
    "association.closed": (*_WHO, "objects", "bytes", "seconds", "why", "errno"),
    "object.answered": (
        *_WHO,
        *_MEMBER,
        "rule",
        "study_ref",
        "object_ref",
        "bytes",
        "seconds",
        "status",
        "attempts",
        "possible_duplicate",
        "abstract",
        "transfer",
    ),
    "object.refused": (*_WHO, *_MEMBER, "rule", "study_ref", "object_ref", "bytes", "status", "attempts", "why", "abstract", "transfer"),
    "object.replayed": (*_WHO, *_MEMBER, "was", "study_ref", "object_ref", "bytes", "attempts", "cause", "why", "status"),
    "object.ambiguous": (*_WHO, *_MEMBER, "study_ref", "object_ref", "bytes", "attempts", "cause", "why"),
    "object.unanswered": (*_WHO, *_MEMBER, "study_ref", "object_ref", "bytes", "status", "why"),
    "object.unreadable": (*_WHO, "object_ref", "reason", "offset"),
    "object.parked": (*_MEMBER, "study_ref", "object_ref", "why"),
    "study.pinned": (*_MEMBER, "study_ref"),
    "study.repinned": (*_MEMBER, "study_ref", "was", "cause", "why"),
    "study.complete": ("app", "study_ref", "objects"),
    "study.incomplete": ("app", "study_ref", "objects", "why"),
    "member.up": (*_MEMBER, "was", "outcome", "why"),
    "member.down": (*_MEMBER, "was", "outcome", "why"),
    "member.full": (*_MEMBER, "was", "outcome", "why", "count"),
    "member.contexts-lost": (*_MEMBER, "calling_ae", "abstract", "transfer", "why", "count"),
    "member.opened": (*_MEMBER, "peer", "count"),
    "member.closed": (*_MEMBER, "peer", "outcome", "why", "errno", "objects", "seconds", "source", "reason"),
    "commitment.held": ("app", "service", "study_ref", "objects"),
    "commitment.reported": ("app", "service", "study_ref", "objects", "outcome"),
    "peer.malformed": (*_WHO, *_MEMBER, "reason", "offset"),
    "peer.probe": ("app", "service", "peer", "listener"),
    "tls.refused": ("app", "service", "pool", "member", "peer", "listener", "reason", "why"),
    # the route process
    "route.started": ("app", "pid", "version", "generation", "path"),
    "route.loaded": ("app", "generation", "was"),
    "route.refused": ("app", "generation", *_ERROR),
    "route.listening": ("app", "service", "listener", "names", "count"),
    "route.closed": ("app", "listener", "names", "count"),
    "route.stopping": ("app", "signal", "why", "seconds", "count"),
    "route.stopped": ("app", "objects", "count", "exit"),
    "session.failed": (*_WHO, *_MEMBER, *_ERROR),
    "condition.raised": ("app", "code", "object", "reason"),
    "condition.cleared": ("app", "code", "object", "reason", "seconds"),
    # the record
    "record.opened": ("app", "path", "group", "seconds", "version"),
    "record.waiting": ("app", "path", "seconds"),
    "record.failed": ("app", "path", "group", *_ERROR),
    "record.full": ("app", "path", "group", *_ERROR),
    "record.lost": ("app", "path", "group", "count", "reason"),
    # the guard
    "guard.started": ("pid", "version", "path", "count"),
    "guard.stopped": ("pid", "signal", "why", "count"),
    "guard.refused": ("name", "verb", *_ERROR),
    "process.started": ("name", "pid", "restarts"),
    "process.adopted": ("name", "pid", "restarts"),
    "process.exited": ("name", "pid", "exit", "seconds", "restarts"),
    "process.stopped": ("name", "pid", "exit", "signal", "seconds"),
    "process.failed": ("name", *_ERROR),
    "process.left-over": ("name", "names", "count"),
    "listener.bound": ("name", "listener"),
    "listener.handed": ("name", "names", "count"),
    "listener.taken-back": ("name", "names", "count"),
    "listener.closed": ("name", "names", "count"),
    "listener.failed": ("name", "names", *_ERROR),
    # the control process
    "control.started": ("pid", "version", "path", "node", "revision"),
    "control.stopped": ("pid", "signal", "why"),
    "control.applied": ("revision", "steps", "by", "why", "seconds", "generation"),
    "control.refused": ("revision", "step", "by", *_ERROR),
    "control.undone": ("revision", "was", "by", "why"),
    "control.step": ("revision", "step", "app", "name", "outcome", "seconds"),
    "control.override": ("object", "word", "by", "why", "seconds"),
    "control.request": ("verb", "by", "status", "outcome", "seconds", *_ERROR),
    "control.guard": ("pid", "started", "outcome", "why"),
    "engine.confirmed": ("app", "generation", "seconds"),
    "engine.refused": ("app", "generation", *_ERROR),
}
"""Every event, with the fields it may have. What is not here is dropped and counted, never written."""
