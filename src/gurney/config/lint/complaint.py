"""The one place for what a lint rule says: a complaint about paths of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gurney.config.document import Application, Document, Pool, Service
from gurney.config.proxied import ProxyPool, ProxyService

Marks = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that cannot work together. It is said at `path`, unless something at `path` or in `about` has an error of its own."""

    code: str
    path: str
    message: str
    hint: str | None = None
    about: tuple[str, ...] = ()
    severity: str = "error"


def services(document: Document) -> Iterator[tuple[Application, Service | ProxyService]]:
    """Every service, whoever carries it."""
    for application in document.applications.values():
        for service in application.services.values():
            yield application, service
        for carried in application.proxied.values():
            yield application, carried


def pools(document: Document) -> Iterator[tuple[Application, Pool | ProxyPool]]:
    """Every pool, whoever carries what goes there."""
    for application in document.applications.values():
        for pool in application.pools.values():
            yield application, pool
        for carried in application.proxied_pools.values():
            yield application, carried


def proxied(document: Document) -> Iterator[ProxyService]:
    """Every service that HAProxy carries."""
    for application in document.applications.values():
        yield from application.proxied.values()
