"""The one place for the keys of `protocol: http` and `tcp` (http.md §1): services, rules, limits, TLS, pools, members, checks.

What both have stands first; a table of each protocol is made of it.
"""

from __future__ import annotations

from gurney.config import limits, words
from gurney.config.key import Key, duration, later

_LISTEN = Key("listen", "listen", "port, address:port, or a list; services may share a listener by host or path", required=True)
_ACCEPT = (
    Key("accept_from", "networks", "the networks that may call; omitted: everyone (a condition says so)"),
    Key("accept_proxy_from", "some_networks", "networks whose connections begin with a PROXY v1 or v2 header", "[]"),
)
HTTP_SERVICE = (
    Key("protocol", "http_protocol", "what is spoken: http", required=True),
    _LISTEN,
    Key("hosts", "hosts", "Host (and SNI) names served here; *.example.org is every name below", "*"),
    Key("base", "base", "the path below which the service lies; facts begin after it", "/"),
    Key("tls", "http_tls", "TLS towards clients; omitted: plain"),
    *_ACCEPT,
    Key("trust_forwarded_from", "some_networks", "networks whose X-Forwarded-* and Forwarded are believed", "[]"),
    Key("rules", "http_rules", "the first that matches wins, the last has no match; omitted: the application's only pool"),
    Key("limits", "http_limits", "limits of this service"),
    *later("external", "waf", "urgency", "per_client", "read_your_writes", "conditional", "rewrite_links", "maintenance", "surge"),
)
TCP_SERVICE = (
    Key("protocol", "tcp_protocol", "what is spoken: tcp, bytes that are not looked into", required=True),
    _LISTEN,
    Key("hosts", "hosts", "SNI names served here, with `tls` only", "*"),
    Key("tls", "tcp_tls", "TLS towards clients, ended here; omitted: bytes pass as they are"),
    *_ACCEPT,
    Key("rules", "tcp_rules", "the first that matches wins, the last has no match; omitted: the application's only pool"),
    Key("limits", "tcp_limits", "limits of this service"),
    *later("urgency", "maintenance", "surge"),
)

TCP_TLS = (
    Key("certificate", "files", "PEM file with chain and key, or a list; the first answers unknown names", required=True),
    Key("client_ca", "file", "clients show a certificate of this CA (PEM)"),
    Key("client", "client", "whether a client must show one, with `client_ca` only", words.CLIENTS[0]),
    Key("crl", "file", "revoked client certificates (PEM)"),
)
HTTP_TLS = (
    *TCP_TLS,
    Key("alpn", "alpn", "protocols offered", "[" + ", ".join(words.ALPNS) + "]"),
    Key("hsts", "long_duration", "Strict-Transport-Security for this long; omitted: none"),
    Key("redirect_from", "port", "a port that answers 308 to https; omitted: none"),
)
MEMBER_TLS = (
    Key("ca", "ca", "whose certificates are good: system, or a PEM file", "system"),
    Key("server_name", "host", "the name that is asked for (SNI) and verified; omitted: the member's host"),
    Key("certificate", "file", "PEM file with the certificate and key shown to the member"),
)

HTTP_LIMITS = (
    Key("connections", "connections", "open connections", str(limits.HTTP_CONNECTIONS)),
    Key("headers", "short_duration", "a request's headers arrive within", duration(limits.HTTP_HEADERS_MS)),
    Key("body", "object_size", "largest body of a request", "none"),
    Key("idle", "short_duration", "a client that is silent this long is cut", duration(limits.HTTP_IDLE_MS)),
)
TCP_LIMITS = (HTTP_LIMITS[0], Key("idle", "short_duration", "a session that is silent this long is cut", duration(limits.TCP_IDLE_MS)))

_RULE = (
    Key("name", "name", "what explain and the logs call it; omitted: rule-N"),
    Key("pool", "pool_name", "the name of one of the application's pools", required=True),
)
HTTP_RULE = (
    *_RULE,
    Key("match", "http_match", "facts and the globs they must fit; omitted: everything"),
    *later("urgency", "waiting_room", "copy_to", "delivery", "discard"),
)
TCP_RULE = (*_RULE, Key("match", "tcp_match", "facts and the globs they must fit; omitted: everything"), *later("urgency", "copy_to"))

_POOL = (
    Key("queue", "queue", "what waits while every member is at max_in_flight"),
    Key("slow_start", "slow_start", "a member that is up again gets its share over this time", duration(limits.SLOW_START_MS)),
    Key("panic", "percent", "fewer usable members than this: all are used; 0%: never", f"{limits.PANIC}%"),
    Key("tls", "member_tls", "TLS towards the members, always verified; omitted: plain"),
    Key("weight", "weight", "the members' weight", str(limits.WEIGHT)),
    Key("site", "site_name", "where the members stand"),
)
HTTP_POOL = (
    Key("members", "http_members", "NAME: destination, or a list of destinations", required=True),
    Key("balance", "http_balance", "how a request finds its member", words.HTTP_BALANCES[0]),
    Key("persist", "http_persist", "how a client stays with its member", words.HTTP_PERSISTS[0]),
    Key("max_in_flight", "max_in_flight", "requests at once at one member", str(limits.MAX_IN_FLIGHT)),
    Key("fallback", "http_fallback", "while no member is up: another pool, or {page: FILE}, the answer 503 with it"),
    Key("check", "http_check", "the members' active check"),
    *_POOL,
    *later("agent", "paging", "singletons", "read_miss", "overflow"),
)
TCP_POOL = (
    Key("members", "tcp_members", "NAME: destination, or a list of destinations", required=True),
    Key("balance", "tcp_balance", "how a connection finds its member", words.TCP_BALANCES[0]),
    Key("persist", "tcp_persist", "how a client stays with its member", words.TCP_PERSISTS[0]),
    Key("max_in_flight", "max_in_flight", "connections at once at one member", "none"),
    Key("fallback", "pool_name", "another pool while no member is up"),
    Key("check", "tcp_check", "the members' active check"),
    *_POOL,
    *later("agent"),
)
HTTP_PERSIST = (
    Key("by", "http_persist_kind", "cookie, source or none", required=True),
    Key("for", "long_duration", "how long it holds without a request", duration(limits.PERSIST_FOR_MS)),
    Key("then", "persist_then", "the second method, for clients without a cookie", words.PERSIST_THENS[0]),
)
TCP_PERSIST = (
    Key("by", "tcp_persist_kind", "source or none", required=True),
    Key("for", "long_duration", "how long it holds without a connection", duration(limits.PERSIST_FOR_MS)),
)
QUEUE = (
    Key("most", "queue_most", "requests waiting in the pool", str(limits.QUEUE_MOST)),
    Key("wait", "short_duration", "one waits at most this long", duration(limits.QUEUE_WAIT_MS)),
)
FALLBACK = (Key("page", "file", "the body of the 503 answer (HTML)", required=True),)

_MEMBER = (
    Key("address", "target", "HOST:PORT, or HOST with the key `port`", required=True),
    Key("port", "port", "where the address has none"),
    Key("weight", "weight", "its share", str(limits.WEIGHT)),
    Key("site", "site_name", "where it stands; omitted: the pool's site"),
    Key("tls", "member_tls", "TLS towards it; keys left out are the pool's"),
    Key("proxy", "proxy", "PROXY protocol towards it", words.PROXIES[0]),
)
HTTP_MEMBER = (*_MEMBER, Key("check", "http_check", "its active check; keys left out are the pool's"))
TCP_MEMBER = (*_MEMBER, Key("check", "tcp_check", "its active check; keys left out are the pool's"))

TCP_CHECK = (
    Key("kind", "proxy_check_kind", "what is asked of the member", "tcp"),
    Key("interval", "check_duration", "from one check to the next", duration(limits.CHECK_INTERVAL_MS)),
    Key("timeout", "check_duration", "no outcome after this is a failure", duration(limits.CHECK_TIMEOUT_MS)),
    Key("rise", "check_count", "good checks in a row until up", str(limits.CHECK_RISE)),
    Key("fall", "check_count", "failed checks in a row until down", str(limits.CHECK_FALL)),
    Key("path", "check_path", "the path that kind http asks for", "/"),
    Key("host", "host", "the Host that kind http sends; omitted: the member's address"),
    Key("expect", "expect", "good statuses of kind http: 200, 2xx, 200-399, or a list", limits.spell_range(limits.CHECK_GOOD)),
)
HTTP_CHECK = (Key("kind", "proxy_check_kind", "what is asked of the member", "http"), *TCP_CHECK[1:])
