"""Words of a pool that change nothing beside another one."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns where such a word stands."""
    for application in document.applications.values():
        for pool in application.proxied_pools.values():
            if pool.balance == "source" and "source" in (pool.persist.kind, pool.persist.then):
                message = f"'persist: source' says nothing more in pool '{pool.name}': its balance is source"
                yield Complaint("GRN-L023", f"{pool.path}.persist", message, "one of the two", (f"{pool.path}.balance",), "warning")
            if pool.max_in_flight is None and f"{pool.path}.queue" in marks:
                message = f"nothing waits in pool '{pool.name}': max_in_flight is none"
                yield Complaint("GRN-L023", f"{pool.path}.queue", message, "max_in_flight: N", (), "warning")
