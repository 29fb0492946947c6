"""A pool no rule leads to: its members get checks and never an object."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns about each pool that no rule of its application names."""
    for application in document.applications.values():
        used = {rule.pool for service in application.services.values() for rule in service.rules}
        for pool in application.pools.values():
            if pool.name not in used:
                message = f"no rule leads to pool '{pool.name}'"
                yield Complaint("GRN-L005", pool.path, message, None, (f"{application.path}.services",), "warning")
