"""A rule without `match` ends the list: what follows is never reached."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks, services


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about each rule behind a catch-all."""
    for _, service in services(document):
        catch_all = None
        for rule in service.rules:
            if catch_all is not None:
                message = f"rule '{rule.name}' is never reached: rule '{catch_all.name}' before it matches everything"
                yield Complaint("GRN-L001", rule.path, message, "the rule without `match` comes last", (catch_all.path,))
            elif not rule.match:
                catch_all = rule
