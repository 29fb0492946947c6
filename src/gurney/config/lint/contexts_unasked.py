"""`expect_contexts` needs a check that negotiates presentation contexts: dicom-associate or dicom-echo (dicom.md §7)."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains once where such a check stands, on the pool or on a member."""
    for application in document.applications.values():
        for pool in application.pools.values():
            said: set[str] = set()
            for member in pool.members.values():
                if member.check.kind != "tcp" or not member.check.expect_contexts:
                    continue
                own = f"{member.path}.check"
                path = own if own in marks else f"{pool.path}.check"
                if path not in said:
                    said.add(path)
                    yield Complaint("GRN-L008", path, "a tcp check cannot expect contexts", "check: {kind: dicom-echo}")
