"""A pool no rule leads to: its members get checks and never an object."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns about each pool that no rule of its application names, and that stands in for no pool that one names."""
    for application in document.applications.values():
        used = {rule.pool for service in application.services.values() for rule in service.rules}
        used |= {rule.pool for service in application.proxied.values() for rule in service.rules}
        waiting = list(used)
        while waiting:
            pool = application.proxied_pools.get(waiting.pop())
            if pool is not None and pool.fallback is not None and pool.fallback not in used:
                used.add(pool.fallback)
                waiting.append(pool.fallback)
        for name, path in (
            *((pool.name, pool.path) for pool in application.pools.values()),
            *((pool.name, pool.path) for pool in application.proxied_pools.values()),
        ):
            if name not in used:
                yield Complaint("GRN-L005", path, f"no rule leads to pool '{name}'", None, (f"{application.path}.services",), "warning")
