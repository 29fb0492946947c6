"""A node stands at one site and has one name."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about the later of two nodes with one name."""
    first: dict[str, str] = {}
    for site in document.sites.values():
        for node in site.nodes:
            earlier = first.setdefault(node, site.name)
            if earlier != site.name:
                message = f"node '{node}' stands at site '{earlier}' already"
                yield Complaint("GRN-L014", f"sites.{site.name}.nodes.{node}", message, "`up --node NAME` must mean one node")
