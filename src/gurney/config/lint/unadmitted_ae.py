"""A service with an `ae_title` admits no other called AE title: a rule that wants another never matches."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.glob import fits
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about each such rule."""
    for application in document.applications.values():
        for service in application.services.values():
            for rule in service.rules:
                globs = rule.match.get("called_ae", ())
                if service.ae_title is not None and globs and not any(fits(glob, service.ae_title) for glob in globs):
                    message = (
                        f"rule '{rule.name}' never matches: service '{service.name}' admits only the called AE title '{service.ae_title}'"
                    )
                    hint = "leave the service's `ae_title` out to admit any"
                    yield Complaint("GRN-L011", rule.path, message, hint, (f"{service.path}.ae_title",))
