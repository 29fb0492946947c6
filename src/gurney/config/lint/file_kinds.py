"""A file is named for one purpose: what it holds is kept under its name."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks
from gurney.config.materials import CALLED, Wanted, wanted


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains where a file is named that was named for something else before."""
    first: dict[str, Wanted] = {}
    for one in wanted(document):
        earlier = first.setdefault(one.name, one)
        if earlier.kind != one.kind:
            message = f"'{one.name}' is named as {CALLED[one.kind]} here and as {CALLED[earlier.kind]} elsewhere"
            yield Complaint("GRN-L025", one.path, message, "a file of its own for each", (earlier.path,))
