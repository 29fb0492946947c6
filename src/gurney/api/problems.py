"""The one place where an error becomes an RFC 9457 problem, and a problem the error again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gurney.errors import DocumentRefused, GurneyError

MEDIA_TYPE = "application/problem+json"


def plain(status: int, title: str, detail: str) -> dict[str, Any]:
    """A problem of HTTP itself (no such path, body too large), which has no class of ours."""
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": "GRN-E000"}


def error_of(body: Mapping[str, Any]) -> GurneyError:
    """The error a problem stands for: the class with its code, else a plain `GurneyError`."""
    message, hint = str(body.get("detail") or body.get("title") or "the control process gave no reason"), body.get("hint")
    hint = str(hint) if hint is not None else None
    kind = _classes().get(str(body.get("code")), GurneyError)
    if issubclass(kind, DocumentRefused):
        faults = body.get("faults")
        return kind(message, faults=list(faults) if isinstance(faults, list) else [], hint=hint)
    return kind(message, hint=hint)


def _classes() -> dict[str, type[GurneyError]]:
    found: dict[str, type[GurneyError]] = {}
    waiting: list[type[GurneyError]] = [GurneyError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind)
        waiting.extend(kind.__subclasses__())
    return found
