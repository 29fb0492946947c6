"""A port that redirects to https leads each host to one port."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks
from gurney.config.listeners import redirecting


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about the later of two services that want one host to go to different ports."""
    for application in document.applications.values():
        said: set[tuple[str, str]] = set()
        for services in redirecting(application).values():
            for early, late in combinations(services, 2):
                both = [host for host in late.hosts if host in early.hosts]
                if not both or early.listen[0].port == late.listen[0].port or (early.path, late.path) in said:
                    continue
                said.add((early.path, late.path))
                message = (
                    f"service '{late.name}' redirects host '{both[0]}' to port {late.listen[0].port}, "
                    f"service '{early.name}' from the same port to {early.listen[0].port}"
                )
                about = tuple(f"{service.path}.{key}" for service in (early, late) for key in ("hosts", "listen"))
                yield Complaint("GRN-L020", f"{late.path}.tls.redirect_from", message, "other hosts, or no `redirect_from`", about)
