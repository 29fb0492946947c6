"""The one place for a listener's frontend: where it binds, who may come in, what is set for members, and the order of all that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gurney.compile.haproxy import places, rules, settings
from gurney.compile.haproxy.bundle import Frontend
from gurney.compile.haproxy.forwarded import identity, passed_on
from gurney.compile.haproxy.lists import Files
from gurney.compile.haproxy.names import Names
from gurney.compile.haproxy.rules import Desk, is_made, refused
from gurney.compile.haproxy.settings import said
from gurney.compile.haproxy.tree import (
    Address,
    File,
    Format,
    Header,
    Host,
    Int,
    Leaf,
    Line,
    Listed,
    Made,
    Milliseconds,
    Network,
    Quoted,
    Section,
    Term,
    Word,
    call,
    sample,
    words,
)  # fmt: skip
from gurney.compile.target import Machine
from gurney.config.addresses import spell_target
from gurney.config.proxied import ProxyPool, ProxyService, ServiceTls
from gurney.config.served import Listen
from gurney.errors import LocalError

ALPN = {"h2": Word("h2"), "http/1.1": Word("http/1.1")}
REDIRECT = 308


@dataclass(frozen=True, slots=True)
class Writing:
    """What the frontends of one bundle share while they are written. `most`: what the whole process may hold."""

    named: Names
    files: Files
    pools: Mapping[str, ProxyPool]
    machine: Machine
    most: int


def listener_name(listen: Listen) -> str:
    """How a listener is called everywhere: `HOST:PORT`, `*:PORT` for every address, IPv6 in brackets."""
    return spell_target(listen.host or "*", listen.port)


def binds(listen: Listen, ipv6: bool) -> tuple[Address, ...]:
    """The sockets of a listener. "Every address" is two, so that an IPv4 client is never written as an IPv6 one."""
    if listen.host or not ipv6:
        return (Address(listen.host, listen.port),)
    return (Address("", listen.port), Address("::", listen.port))


def frontend(writing: Writing, listen: Listen, services: Sequence[ProxyService]) -> tuple[Section, Frontend]:
    """The frontend of one listener and the services that share it."""
    first = services[0]
    if any(_shared(service) != _shared(first) for service in services):
        raise LocalError("services that share a listener differ in what belongs to the listener")
    name = writing.named.made("fe", listener_name(listen))
    desk = Desk(writing.named, writing.files, writing.pools, first.protocol)
    lines = [*_bind(writing, name, listen, services), *_limits(writing, first), *_admitted_early(desk, name, services)]
    if places.names_host(services):
        lines.append(places.host(desk))
    if places.is_needed(services):
        lines += places.choose(desk, name, services, first.tls is not None)
    lines += _admitted(desk, services)
    if first.protocol == "http":
        lines += _bodies(desk, services)
        lines.append(said("http-request disable-l7-retry unless", Term(sample(call("method")), (), words("GET HEAD"))))
        lines += passed_on(desk, listen, services)
        lines += identity(first.tls, first.path)
        lines += _hsts(desk, services)
    lines += rules.choose(desk, name, services)
    made = Frontend(name.name, listener_name(listen), listen, tuple(service.name for service in services))
    return Section(Line((Word("frontend"), name, *words(f"from {first.protocol}")), first.path), tuple(lines)), made


def redirect(writing: Writing, listen: Listen, services: Sequence[ProxyService]) -> tuple[Section, Frontend]:
    """The frontend that sends clients of `services` to https."""
    first = services[0]
    name = writing.named.made("fe", listener_name(listen))
    desk = Desk(writing.named, writing.files, writing.pools, "http")
    path = f"{first.path}.tls.redirect_from"
    lines = [*_sockets(writing, listen, (), path), *_limits(writing, first), places.host(desk)]
    lines.append(refused(desk, places.NOT_FOUND, "No service here has this host.", rules.found("host", negated=True)))
    if places.is_needed(services):
        lines += places.choose(desk, name, services, tls=False)
    by_port: dict[int, list[ProxyService]] = {}
    for service in services:
        by_port.setdefault(service.listen[0].port, []).append(service)
    for port, those in by_port.items():
        if len(by_port) == 1:
            condition: tuple[Leaf, ...] = ()
        else:
            condition = (Word("if"), is_made("service", *(writing.named.made("v", service.path) for service in those)))
        port_said = () if port == 443 else (Quoted(":"), Int(port, 1, 65_535))
        parts = (Quoted("https://"), sample(rules.var("host")), *port_said)
        lines.append(said("http-request redirect prefix", Format(parts), *words("code"), Int(REDIRECT), *condition, path=path))
    made = Frontend(name.name, listener_name(listen), listen, tuple(service.name for service in services), redirect=True)
    return Section(Line((Word("frontend"), name, *words("from http")), path), tuple(lines)), made


def _shared(service: ProxyService) -> tuple[object, ...]:
    """What belongs to the listener, not to one of its services."""
    tls, limits = service.tls, service.limits
    of_tls = None if tls is None else (tls.client_ca, tls.client, tls.crl, tls.alpn)
    return (service.protocol, of_tls, service.accept_proxy_from, limits.connections, limits.headers_ms, limits.idle_ms)


def _bind(writing: Writing, name: Made, listen: Listen, services: Sequence[ProxyService]) -> list[Line]:
    first = services[0]
    secured = () if first.tls is None else _tls(writing, name, first.tls, services)
    return _sockets(writing, listen, secured, f"{first.path}.listen", first.protocol)


def _sockets(writing: Writing, listen: Listen, secured: tuple[Leaf, ...], path: str, protocol: str = "http") -> list[Line]:
    """The bind lines of a listener."""
    timeout: tuple[Leaf, ...] = (*words("tcp-ut"), Milliseconds(settings.USER_TIMEOUT_MS[protocol]))
    found = []
    for at in binds(listen, writing.machine.ipv6):
        alone = words("v6only") if at.host == "::" else ()
        found.append(said("bind", at, *alone, *secured, *timeout, path=path))
    return found


def _tls(writing: Writing, name: Made, tls: ServiceTls, services: Sequence[ProxyService]) -> tuple[Leaf, ...]:
    """TLS towards clients; the certificate of an unknown or absent SNI is the first of the first service."""
    entries: list[tuple[File, tuple[Host, ...]]] = []
    for service in services:
        for given in service.tls.certificates if service.tls is not None else ():
            filters = () if len(services) == 1 or "*" in service.hosts else _names(service, writing.files.hosts_of(given))
            entry = (writing.files.material("certificate", given), filters)
            if entry not in entries:
                entries.append(entry)
    found: list[Leaf] = [*words("ssl crt-list"), writing.files.certificates(name, entries)]
    if tls.alpn:
        found += (*words("alpn"), Listed(tuple(ALPN[word] for word in tls.alpn)))
    if tls.client_ca is not None and tls.client != "none":
        found += (*words("ca-file"), writing.files.material("ca", tls.client_ca), *words(f"verify {tls.client}"))
        if tls.crl is not None:
            found += (*words("crl-file"), writing.files.material("crl", tls.crl))
    return tuple(found)


def _names(service: ProxyService, held: Sequence[str]) -> tuple[Host, ...]:
    """What a certificate is shown for: those of its names that are hosts of its service, and hosts that a wildcard of it is for.

    For other names another service's certificate is shown.
    """
    endings = [glob.removeprefix("*") for glob in service.hosts if glob.startswith("*.")]
    own = [name for name in held if name in service.hosts or any(name.removeprefix("*").endswith(ending) for ending in endings)]
    below = [host for host in service.hosts if not host.startswith("*.") and f"*.{host.partition('.')[2]}" in held]
    return tuple(Host(name) for name in dict.fromkeys((*own, *below)))


def _limits(writing: Writing, first: ProxyService) -> list[Line]:
    path = f"{first.path}.limits"
    idle = Milliseconds(first.limits.idle_ms)
    found = [
        said("maxconn", Int(min(first.limits.connections, writing.most), 1), path=f"{path}.connections"),
        said("timeout client", idle, path=f"{path}.idle"),
    ]
    if first.protocol == "tcp":
        return found
    return [
        *found,
        said("timeout http-request", Milliseconds(first.limits.headers_ms), path=f"{path}.headers"),
        said("timeout http-keep-alive", idle, path=f"{path}.idle"),
    ]


def _admitted_early(desk: Desk, fe: Made, services: Sequence[ProxyService]) -> list[Line]:
    """PROXY protocol, and for tcp who may connect at all: before TLS where the address is the connection's own."""
    first = services[0]
    lines = []
    if first.accept_proxy_from:
        file = desk.files.values(fe, "proxy", [Network(value) for value in first.accept_proxy_from])
        trusted = Term(sample(call("src")), file=file)
        lines.append(said("tcp-request connection expect-proxy layer4 if", trusted, path=f"{first.path}.accept_proxy_from"))
    if first.protocol == "tcp" and len(services) == 1 and first.accept_from:
        phrase = "tcp-request session reject unless" if first.accept_proxy_from else "tcp-request connection reject unless"
        lines.append(said(phrase, _admits(desk, first), path=f"{first.path}.accept_from"))
    return lines


def _admits(desk: Desk, service: ProxyService, negated: bool = False) -> Term:
    name = desk.named.made("v", service.path)
    file = desk.files.values(name, "from", [Network(value) for value in service.accept_from])
    return Term(sample(call("src")), file=file, negated=negated)


def _admitted(desk: Desk, services: Sequence[ProxyService]) -> list[Line]:
    """Who may use which service, once it is known which is meant."""
    if desk.protocol == "tcp" and len(services) == 1:
        return []
    lines = []
    for service in services:
        if service.accept_from:
            mine = () if len(services) == 1 else (is_made("service", desk.named.made("v", service.path)),)
            terms = (*mine, _admits(desk, service, negated=True))
            lines.append(refused(desk, 403, "This address is not admitted here.", *terms, path=f"{service.path}.accept_from"))
    return lines


def _bodies(desk: Desk, services: Sequence[ProxyService]) -> list[Line]:
    """Limits on request bodies. A length that is not announced cannot be limited while it streams: it is asked for (411)."""
    lines = []
    for service in services:
        if service.limits.body is None:
            continue
        path = f"{service.path}.limits.body"
        mine: tuple[Term, ...] = () if len(services) == 1 else (is_made("service", desk.named.made("v", service.path)),)
        large = rules.number(sample(call("req.body_size")), "gt", service.limits.body)
        streams = Term(sample(call("req.hdr", Header("Transfer-Encoding"))), words("-m found"))
        silent = Term(sample(call("req.hdr", Header("Content-Length"))), words("-m found"), negated=True)
        second = Term(sample(call("req.ver")), words("-m str"), words("2.0"))
        tunnel = Term(sample(call("req.hdr", Header("Upgrade"))), words("-m found"), negated=True)
        begun = rules.number(sample(call("req.body_size")), "gt", 0)
        wait: tuple[Leaf, ...] = (Milliseconds(service.limits.headers_ms), *words("at-least"), Int(1))
        lines += [
            refused(desk, 413, "The body is larger than is taken here.", *mine, large, path=path),
            refused(desk, 411, "The length of the body must be said.", *mine, streams, path=path),
            # of HTTP/2 only its first byte tells that there is a body; without one the request goes on at once
            said("http-request wait-for-body time", *wait, Word("if"), *mine, second, silent, tunnel, path=path),
            refused(desk, 411, "The length of the body must be said.", *mine, second, silent, tunnel, begun, path=path),
        ]
    return lines


def _hsts(desk: Desk, services: Sequence[ProxyService]) -> list[Line]:
    """Strict-Transport-Security, on answers made here too."""
    groups: dict[int, list[ProxyService]] = {}
    for service in services:
        if service.tls is not None and service.tls.hsts_ms is not None:
            groups.setdefault(service.tls.hsts_ms // 1_000, []).append(service)
    lines = []
    for seconds, those in groups.items():
        mine: tuple[Leaf, ...] = ()
        if len(those) != len(services):
            mine = (Word("if"), is_made("service", *(desk.named.made("v", service.path) for service in those)))
        value = Format((Quoted("max-age="), Int(seconds)))
        phrase = "http-after-response set-header"
        lines.append(said(phrase, Header("Strict-Transport-Security"), value, *mine, path=f"{those[0].path}.tls.hsts"))
    return lines
