"""With `echo: local` a C-ECHO is answered here and meets no rule."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns about a rule that matches nothing but C-ECHO in such a service."""
    for application in document.applications.values():
        for service in application.services.values():
            for rule in service.rules:
                if service.echo == "local" and rule.match.get("request") == ("echo",):
                    message = f"rule '{rule.name}' never matches: C-ECHO is answered here"
                    yield Complaint("GRN-L013", rule.path, message, "echo: pool", (f"{service.path}.echo",), "warning")
