"""The one place for what a lint rule says: a complaint about paths of the document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Marks = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that cannot work together. It is said at `path`, unless something at `path` or in `about` has an error of its own."""

    code: str
    path: str
    message: str
    hint: str | None = None
    about: tuple[str, ...] = ()
    severity: str = "error"
