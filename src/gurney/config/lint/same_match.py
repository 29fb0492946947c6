"""Two rules with the same match: the second is never reached."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document, Rule
from gurney.config.lint.complaint import Complaint, Marks, services


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about the second of two rules that match the same."""
    for _, service in services(document):
        first: dict[frozenset[tuple[str, frozenset[str]]], Rule] = {}
        for rule in service.rules:
            if not rule.match:
                continue
            key = frozenset((fact, frozenset(globs)) for fact, globs in rule.match.items())
            earlier = first.setdefault(key, rule)
            if earlier is not rule:
                message = f"rule '{rule.name}' is never reached: rule '{earlier.name}' before it matches the same"
                yield Complaint("GRN-L003", rule.path, message, None, (earlier.path,))
