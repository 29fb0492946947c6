"""A pool's fallback serves when the pool cannot: it is never the pool itself, nor in the end leads back to it."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains once about each circle, at the pool of it that stands first."""
    for application in document.applications.values():
        pools = application.proxied_pools
        done: set[str] = set()
        for first in pools:
            way: list[str] = []
            name: str | None = first
            while name is not None and name in pools and name not in way and name not in done:
                way.append(name)
                name = pools[name].fallback
            done.update(way)
            if name is None or name not in way:
                continue
            circle = way[way.index(name) :]
            pool = pools[circle[0]]
            said = "is its own fallback" if len(circle) == 1 else f"falls back to itself: {' → '.join((*circle, circle[0]))}"
            about = tuple(pools[one].path for one in circle[1:])
            hint = "a pool that leads elsewhere, or {page: FILE}"
            yield Complaint("GRN-L021", f"{pool.path}.fallback", f"pool '{pool.name}' {said}", hint, about)
