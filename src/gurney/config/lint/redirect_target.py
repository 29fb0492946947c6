"""A port that redirects to https leads each host to one port."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks
from gurney.config.listeners import redirecting
from gurney.config.proxied import ProxyService


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about the later of two services that want one host to go to different ports."""
    for application in document.applications.values():
        said: set[tuple[str, str]] = set()
        for services in redirecting(application).values():
            first: dict[str, ProxyService] = {}
            for late in services:
                for host in late.hosts:
                    early = first.setdefault(host, late)
                    if early.listen[0].port != late.listen[0].port and (early.path, late.path) not in said:
                        said.add((early.path, late.path))
                        yield _complaint(early, late, host)


def _complaint(early: ProxyService, late: ProxyService, host: str) -> Complaint:
    message = (
        f"service '{late.name}' redirects host '{host}' to port {late.listen[0].port}, "
        f"service '{early.name}' from the same port to {early.listen[0].port}"
    )
    about = tuple(f"{service.path}.{key}" for service in (early, late) for key in ("hosts", "listen"))
    return Complaint("GRN-L020", f"{late.path}.tls.redirect_from", message, "other hosts, or no `redirect_from`", about)
