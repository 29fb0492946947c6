"""The one place for compiling an application into its HAProxy's bundle."""

from __future__ import annotations

import hashlib
import json

from gurney.compile.haproxy import backends, bundle, frontends, settings, text
from gurney.compile.haproxy.bundle import Bundle
from gurney.compile.haproxy.names import Names
from gurney.compile.haproxy.tree import Line, Section
from gurney.compile.target import Ground
from gurney.config.document import Application, Document
from gurney.config.proxied import ProxyService, ProxyTable
from gurney.config.served import Listen
from gurney.errors import LocalError, NotFound

_NO_SHAPE = "0" * 64


def compile(document: Document, application: str, ground: Ground) -> Bundle | None:
    """The bundle of `application` in `document`, overrides already laid over it; None when it has no service for HAProxy.

    Equal applications on equal ground give equal bundles. `NotFound` when the document has no such application; `LocalError` for what
    would be a defect of ours: a value no leaf holds, a text its own judge refuses.
    """
    found = document.applications.get(application)
    if found is None:
        raise NotFound(f"the document has no application '{application}'")
    return of_application(found, ground) if found.proxied else None


def of_application(found: Application, ground: Ground) -> Bundle:
    """The bundle of `found`, which has services for HAProxy."""
    named = Names()
    table = ProxyTable(found.name, found.proxied, found.proxied_pools)
    fronts = [frontends.frontend(named, table, listen, services) for listen, services in listeners(table).items()]
    backs = [backends.pool(named, table.pools[name]) for name in used(table)]
    maxconn = sum(service.limits.connections for service in table.services.values())
    proxies = [section for section, _ in fronts] + [section for made in backs for section in made.sections]
    sections = [settings.ring(), settings.defaults(), *proxies]
    shape = shape_of([settings.globals_(ground.machine, maxconn, _NO_SHAPE), *sections], {})
    configuration, lines = text.configuration([settings.globals_(ground.machine, maxconn, shape), *sections])
    return Bundle(
        table=table,
        shape=shape,
        files={bundle.CONFIGURATION: configuration},
        maps=(),
        materials={},
        swappable=(),
        frontends=tuple(made for _, made in fronts),
        backends=tuple(made for back in backs for made in back.backends),
        lines=lines,
        granted=(),
        names=dict(sorted(named.paths.items())),
    )


def shape_of(sections: list[Section], files: dict[str, str]) -> str:
    """The digest of what needs a reload: every line as the shape sees it, and the files that are no maps."""
    seen = [[text.line(section.head), *(_shaped(item) for item in section.lines)] for section in sections]
    body = {"format": bundle.FORMAT, "sections": seen, "files": files}
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()


def _shaped(item: Line) -> str:
    return text.line(item) if item.shape is None else " ".join(map(text.word, item.shape))


def listeners(table: ProxyTable) -> dict[Listen, tuple[ProxyService, ...]]:
    """The services of each listening address, in the document's order."""
    found: dict[Listen, tuple[ProxyService, ...]] = {}
    for service in table.services.values():
        for listen in dict.fromkeys(service.listen):
            found[listen] = (*found.get(listen, ()), service)
    return found


def used(table: ProxyTable) -> tuple[str, ...]:
    """The pools some rule or some fallback names, in the document's order."""
    wanted = [rule.pool for service in table.services.values() for rule in service.rules]
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        if name not in table.pools:
            raise LocalError("a rule names a pool that is not defined")
        seen.add(name)
        fallback = table.pools[name].fallback
        if fallback is not None:
            wanted.append(fallback)
    return tuple(name for name in table.pools if name in seen)
