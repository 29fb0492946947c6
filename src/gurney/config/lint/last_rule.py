"""The last rule has no `match`, so that every request has a rule (architecture.md §2)."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks, services


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about a service whose rules all have a match."""
    for _, service in services(document):
        if service.rules and all(rule.match for rule in service.rules):
            last = service.rules[-1]
            yield Complaint(
                "GRN-L002",
                last.path,
                f"the last rule of service '{service.name}' has a match: what fits no rule would be refused",
                "end with a rule that has only a pool: - pool: NAME",
                (f"{service.path}.rules",),
            )
