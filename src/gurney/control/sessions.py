"""The one place for how many sessions are open, as an engine tells it: what a plan counts as cut, or as staying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COUNTED = ("sessions", "associations")  # the words engines have for it, the first that is there counts


def open_sessions(status: Mapping[str, Any] | None) -> dict[str, int]:
    """Open sessions by SERVICE, and by POOL/MEMBER those that go to a member."""
    told = status or {}
    found = {name: _count(service) for name, service in _mapping(told.get("services")).items()}
    for name, pool in _mapping(told.get("pools")).items():
        members = _mapping(pool.get("members")) if isinstance(pool, Mapping) else {}
        found.update({f"{name}/{member}": _count(one) for member, one in members.items()})
    return found


def _count(told: Any) -> int:
    for word in COUNTED if isinstance(told, Mapping) else ():
        count = told.get(word)
        if isinstance(count, int) and not isinstance(count, bool):
            return max(count, 0)
    return 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
