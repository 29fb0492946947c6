"""The one place for compiling an application into its HAProxy's bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from gurney.compile.haproxy import backends, bundle, descriptors, frontends, keywords, settings, text
from gurney.compile.haproxy.bundle import Bundle
from gurney.compile.haproxy.lists import MEMBER_HOSTS, Files
from gurney.compile.haproxy.names import Names
from gurney.compile.haproxy.tree import Line, Section
from gurney.compile.target import Ground, Machine
from gurney.config import listeners
from gurney.config.document import Application, Document
from gurney.config.proxied import ProxyPool, ProxyService, ProxyTable
from gurney.config.served import Listen
from gurney.errors import LocalError, NotFound

_NO_SHAPE = "0" * 64


def compile(document: Document, application: str, ground: Ground) -> Bundle | None:
    """The bundle of `application` in `document`, overrides already laid over it; None when it has no service for HAProxy.

    Equal applications on equal ground give equal bundles. `NotFound` when the document has no such application, `InputRefused` when the
    machine has too few descriptors; `LocalError` for what is a defect of ours: a value no leaf holds, a text its own judge refuses.
    """
    found = document.applications.get(application)
    if found is None:
        raise NotFound(f"the document has no application '{application}'")
    return of_application(found, ground) if found.proxied else None


def of_application(found: Application, ground: Ground) -> Bundle:
    """The bundle of `found`, which has services for HAProxy."""
    named = Names()
    table = ProxyTable(found.name, found.proxied, found.proxied_pools)
    files = Files(ground.materials, named)
    used = _used(table)
    serving, redirecting = listeners.shared(found), listeners.redirecting(found)
    if serving.keys() & redirecting.keys():
        raise LocalError("an address both serves and redirects")
    pools = backends.Writing(named, files, _uses(table, used))
    written = [one for made in used for one in backends.pool(pools, made)]
    peered = any("source" in (made.persist.kind, made.persist.then) for made in used)
    granted = _granted(found, ground, [back for _, back in written], peered)
    writing = frontends.Writing(named, files, {made.name: made for made in used}, ground.machine, granted.maxconn)
    fronts = [frontends.frontend(writing, listen, services) for listen, services in serving.items()]
    fronts += [frontends.redirect(writing, listen, services) for listen, services in redirecting.items()]
    _maps(files, named, used)
    sections = [settings.ring(), *_optional(used, ground.machine, peered), *_defaults(used)]
    sections += [section for section, _ in fronts] + [section for section, _ in written]
    shape = shape_of([settings.globals_(ground.machine, granted.maxconn, _NO_SHAPE, peered), *sections], files)
    configuration, lines = text.configuration([settings.globals_(ground.machine, granted.maxconn, shape, peered), *sections])
    _judged(configuration)
    return Bundle(
        table=table,
        shape=shape,
        files={bundle.CONFIGURATION: configuration, **dict(sorted(files.files.items()))},
        maps=tuple(sorted(files.maps)),
        materials=dict(sorted(files.materials.items())),
        swappable=tuple(sorted(files.swappable)),
        frontends=tuple(front for _, front in fronts),
        backends=tuple(back for _, back in written),
        lines=lines,
        granted=granted.words,
        names=dict(sorted(named.paths.items())),
    )


def shape_of(sections: Sequence[Section], files: Files) -> str:
    """The digest of what needs a reload: every line as the shape sees it, the files that are no maps, pages by their content."""
    seen = [[text.line(section.head), *filter(None, map(_shaped, section.lines))] for section in sections]
    fixed = {name: held for name, held in files.files.items() if name not in set(files.maps)}
    kept = {name: digest if name not in files.swappable else "" for name, digest in files.materials.items()}
    body = {"format": bundle.FORMAT, "sections": seen, "files": fixed, "materials": kept}
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()


def _shaped(item: Line) -> str:
    return text.line(item) if item.shape is None else " ".join(map(text.word, item.shape))


def _judged(configuration: str) -> None:
    faults = keywords.judge(bundle.CONFIGURATION, configuration)
    if faults:
        raise LocalError(f"haproxy.cfg is refused by its own judge: {faults[0]}")


def _used(table: ProxyTable) -> tuple[ProxyPool, ...]:
    """The pools some rule or some fallback names, in the document's order."""
    wanted = [rule.pool for service in table.services.values() for rule in service.rules]
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        if name not in table.pools or not table.pools[name].members:
            raise LocalError("a rule names a pool that is not defined or is empty")
        seen.add(name)
        fallback = table.pools[name].fallback
        if fallback is not None:
            wanted.append(fallback)
    return tuple(pool for name, pool in table.pools.items() if name in seen)


def _uses(table: ProxyTable, used: Iterable[ProxyPool]) -> Mapping[str, backends.Use]:
    """What the services that lead to each pool say of it; a fallback is used by all that use what it stands in for."""
    by_pool: dict[str, list[ProxyService]] = {}
    for service in table.services.values():
        for name in {reached for rule in service.rules for reached in _chain(table, rule.pool)}:
            by_pool.setdefault(name, []).append(service)
    return {
        pool.name: backends.Use(
            secure=all(service.tls is not None for service in by_pool[pool.name]),
            idle_ms=max(service.limits.idle_ms for service in by_pool[pool.name]),
        )
        for pool in used
    }


def _chain(table: ProxyTable, name: str) -> list[str]:
    """A pool and the fallbacks behind it."""
    found = [name]
    at = table.pools[name].fallback
    while at is not None and at not in found:
        found.append(at)
        at = table.pools[at].fallback
    return found


def _granted(found: Application, ground: Ground, backs: Iterable[bundle.Backend], peered: bool) -> descriptors.Granted:
    wanted: dict[Listen, int] = {}
    for at, services in (*listeners.shared(found).items(), *listeners.redirecting(found).items()):
        wanted[at] = max(service.limits.connections for service in services)
    sockets = sum(len(frontends.binds(at, ground.machine.ipv6)) for at in wanted)
    checked = sum(len(back.servers) for back in backs if back.role == bundle.SERVE)
    return descriptors.grant(ground.machine, sum(wanted.values()), sockets, checked, peered)


def _maps(files: Files, named: Names, used: Sequence[ProxyPool]) -> None:
    """The map of the whole process: what checks name as Host."""
    hosts = backends.check_hosts(used, named)
    if hosts:
        files.map(MEMBER_HOSTS, hosts)


def _optional(used: Sequence[ProxyPool], machine: Machine, peered: bool) -> list[Section]:
    names = any(member for pool in used for member in pool.members.values() if backends.by_name(member))
    return [*([settings.peers(machine)] if peered else []), *([settings.resolvers()] if names else [])]


def _defaults(used: Sequence[ProxyPool]) -> list[Section]:
    return [settings.defaults(protocol) for protocol in ("http", "tcp") if any(pool.protocol == protocol for pool in used)]
