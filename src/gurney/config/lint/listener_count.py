"""The listeners of one application go to its route process in one message of descriptors (architecture.md §1)."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config import limits
from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about an application with more listeners than that."""
    for application in document.applications.values():
        count = sum(len(service.listen) for service in application.services.values())
        if count > limits.LISTENERS:
            message = f"application '{application.name}' has {count} listeners, {limits.LISTENERS} at most"
            yield Complaint("GRN-L017", application.path, message, "two applications, or the port alone for every address")
