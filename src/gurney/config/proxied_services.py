"""The one place for reading services of `protocol: http` and `tcp`: hosts, base, TLS, admission, limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from gurney.config import http_rules, http_text, limits, rules, services, text
from gurney.config.fields import Desk, Fields
from gurney.config.proxied import ProxyLimits, ProxyService
from gurney.config.service_tls import service_tls
from gurney.config.tree import Items, Node, Scalar

_HTTP_LIMITS = ProxyLimits(
    connections=limits.HTTP_CONNECTIONS,
    headers_ms=limits.HTTP_HEADERS_MS,
    body=None,
    idle_ms=limits.HTTP_IDLE_MS,
)
LIMITS = {"http": _HTTP_LIMITS, "tcp": replace(_HTTP_LIMITS, idle_ms=limits.TCP_IDLE_MS)}  # by protocol


def service(
    desk: Desk, name: str, key: Scalar, node: Node, path: str, protocol: str, pools: Collection[str], base: ProxyLimits
) -> ProxyService | None:
    """A service of `protocol` http or tcp; None when it is no mapping."""
    fields = desk.open(node, path, f"service.{protocol}", key.at)
    if fields is None:
        return None
    fields.judge()
    services.protocol(fields, protocol)
    http = protocol == "http"
    tls = service_tls(fields, protocol)
    hosts = _hosts(fields)
    if not http and hosts != ("*",) and not fields.has("tls"):
        hint = "only TLS names a host before any byte of the protocol: tls: {certificate: FILE}"
        desk.faults.add(fields.key_at("hosts"), "GRN-S010", "'hosts' of a tcp service needs 'tls'", hint, path=fields.under("hosts"))
    return ProxyService(
        name=name,
        path=path,
        protocol=protocol,
        listen=services.listen(fields),
        hosts=hosts,
        base=fields.value("base", http_text.base, "/") if http else "/",
        tls=tls,
        accept_from=_networks(fields, "accept_from", "nobody would be admitted", "leave `accept_from` out to admit everyone"),
        accept_proxy_from=_networks(fields, "accept_proxy_from"),
        trust_forwarded_from=_networks(fields, "trust_forwarded_from") if http else (),
        rules=rules.rules(fields, pools, protocol, http_rules.match if http else http_rules.tcp_match(fields.has("tls"))),
        limits=proxy_limits(services.limits_of(fields, f"limits.{protocol}"), base),
    )


def _hosts(fields: Fields) -> tuple[str, ...]:
    node, path = fields.get("hosts"), fields.under("hosts")
    if isinstance(node, Items) and not node.items:
        fields.desk.wrong(node, path, "GRN-S025", "no host would be served", "leave `hosts` out to serve every host")
    if isinstance(node, Items) and len(node.items) > limits.HOSTS:
        fields.desk.wrong(node, path, "GRN-S006", f"more than {limits.HOSTS} hosts of one service")
        return ("*",)
    found = fields.values("hosts", http_text.host_glob)
    twice = next((value for at, value in enumerate(found) if value in found[:at]), None)
    if twice is not None and node is not None:
        fields.desk.wrong(node, path, "GRN-S030", f"'{twice}' is in the list twice", "leave one of them out")
    return found or ("*",)


def _networks(fields: Fields, key: str, empty: str | None = None, hint: str | None = None) -> tuple[str, ...]:
    node = fields.get(key)
    if empty is not None and isinstance(node, Items) and not node.items:
        fields.desk.wrong(node, fields.under(key), "GRN-S025", empty, hint)
    return fields.values(key, http_text.network)


def proxy_limits(inner: Fields | None, base: ProxyLimits) -> ProxyLimits:
    """`limits` of http and tcp services; what is left out is `base`'s."""
    if inner is None:
        return base

    def connections(given: str) -> int:
        return text.integer(given, 1, limits.HTTP_CONNECTIONS_HIGHEST)

    return ProxyLimits(
        connections=inner.value("connections", connections, base.connections),
        headers_ms=inner.value("headers", moment, base.headers_ms),
        body=inner.optional("body", lambda given: text.size_or_none(given, limits.HTTP_BODY_HIGHEST), base.body),
        idle_ms=inner.value("idle", moment, base.idle_ms),
    )


def application_limits(inner: Fields | None) -> Mapping[str, ProxyLimits]:
    """`limits` of an application, by protocol: what is left out is each protocol's own default."""
    if inner is None:
        return LIMITS
    said = proxy_limits(inner, LIMITS["http"])
    return {
        protocol: ProxyLimits(
            connections=said.connections,
            headers_ms=said.headers_ms,
            body=said.body,
            idle_ms=said.idle_ms if inner.has("idle") else usual.idle_ms,
        )
        for protocol, usual in LIMITS.items()
    }


def moment(given: str) -> int:
    """A time of a service's limits or of a queue, in milliseconds."""
    return text.duration_ms(given, limits.HTTP_SHORTEST_MS, limits.HTTP_LONGEST_MS)
