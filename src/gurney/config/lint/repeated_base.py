"""A rule's paths begin after the service's base: one that repeats the base was probably meant otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks, proxied


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns about each rule with such a path."""
    for service in proxied(document):
        if service.base == "/":
            continue
        for rule in service.rules:
            for glob in rule.match.get("path", ()):
                rest = glob.removeprefix(service.base)
                if rest != glob and rest[:1] in ("", "/", "*"):
                    message = f"rule '{rule.name}' fits '{service.base}{glob}': paths begin after the service's base"
                    hint = f"path: {rest if rest[:1] in ('/', '*') else '/'}"
                    yield Complaint("GRN-L027", rule.path, message, hint, (f"{service.path}.base",), "warning")
                    break
