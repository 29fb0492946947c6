"""The one place for the types of what HAProxy carries: services of `protocol: http` and `tcp`, their pools and members.

They stand beside the types of `document.py` as one application's services do in the file. Frozen values without behaviour; durations are
whole milliseconds (`*_ms`), sizes are bytes, `path` is the document path. A file the document names (`ehr.pem`) is its text as written;
what it holds is a `Material`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gurney.config.served import Listen, Rule


@dataclass(frozen=True, slots=True)
class Material:
    """What a file named in the document held when it was read: `digest` is the SHA-256 (hex) of `content`, the bytes kept in the state.

    `kind`: certificate (chain and key, parsed and serialised anew) · ca · crl · page. `names` are the DNS names of a certificate,
    `expires` its notAfter (seconds since the epoch); `content` holds keys: never in a log, an error, a bundle.
    """

    kind: str
    digest: str
    names: tuple[str, ...] = ()
    expires: float | None = None
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ServiceTls:
    """TLS towards clients. `client`: none | optional | required (a certificate of `client_ca`)."""

    certificates: tuple[str, ...]  # file names as written; the first is shown to clients without or with an unknown SNI
    client_ca: str | None
    client: str
    crl: str | None
    alpn: tuple[str, ...]  # of http: h2, http/1.1
    hsts_ms: int | None  # Strict-Transport-Security max-age
    redirect_from: int | None  # this port answers 308 to https


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """TLS towards senders of a service that the route process carries. With `client_ca` it is mutual: who shows none is refused."""

    certificates: tuple[str, ...]  # file names as written; the first is shown to senders without or with an unknown SNI
    client_ca: str | None
    crl: str | None
    suites: str  # a word of `config.words.SUITES`


@dataclass(frozen=True, slots=True)
class MemberTls:
    """TLS towards a member; chain and name are always verified."""

    ca: str  # "system", or a file's name as written
    server_name: str | None  # SNI and the name to verify; None: the member's host
    certificate: str | None  # the client certificate shown to the member


@dataclass(frozen=True, slots=True)
class ProxyCheck:
    """An active check made by HAProxy itself. `kind`: http | tcp; of http: `path`, `host` (None: the member's address), `expect`."""

    kind: str
    interval_ms: int
    timeout_ms: int
    rise: int
    fall: int
    path: str = "/"
    host: str | None = None
    expect: tuple[tuple[int, int], ...] = ((200, 399),)  # ranges of good statuses, both ends included


@dataclass(frozen=True, slots=True)
class Persist:
    """How a client stays with its member. `kind` and `then`: none | cookie | source."""

    kind: str = "none"
    for_ms: int = 1_800_000
    then: str = "none"


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits while every member is at `max_in_flight`: `most` requests a pool, each for `wait_ms`."""

    most: int
    wait_ms: int


@dataclass(frozen=True, slots=True)
class ProxyMember:
    """One destination. `override` is None, "drain", "disable" or "weight=N" once overrides are laid over (`weight` is then N)."""

    name: str
    path: str
    host: str
    port: int
    weight: int
    site: str | None
    check: ProxyCheck
    tls: MemberTls | None
    proxy: str  # none | v1 | v2: PROXY protocol towards it
    override: str | None = None


@dataclass(frozen=True, slots=True)
class ProxyPool:
    """Interchangeable members. `balance`: round-robin | least-load | random | failover | source | uri | header:NAME (lower case).

    `protocol` is that of the services that use it. `fallback` names a pool that serves when no member is up; `fallback_page` a file whose
    content is the 503 answer then (http). `panic`: percent of usable members below which all that are not disabled are used; 0: never.
    """

    name: str
    path: str
    protocol: str
    balance: str
    persist: Persist
    max_in_flight: int | None  # of each member
    queue: Queue
    slow_start_ms: int
    panic: int
    fallback: str | None
    fallback_page: str | None
    site: str | None
    members: Mapping[str, ProxyMember]

    def usable_wanted(self, enabled: int) -> int:
        """Fewer usable members than this, of so many that are not disabled, are panic; 0: never.

        Of a failover one is enough: the others stand behind it, and HAProxy counts no more than that one (`nbsrv`).
        """
        share = -(-enabled * self.panic // 100)
        return min(share, 1) if self.balance == "failover" else share


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """Limits of one service. `body` bytes of a request (None: no limit)."""

    connections: int
    headers_ms: int
    body: int | None
    idle_ms: int


@dataclass(frozen=True, slots=True)
class ProxyService:
    """One service of `protocol` http or tcp. Facts a rule of http may match: method, path, host, network, header:NAME (lower case);
    a rule of tcp: network, host (the SNI, where the service has `tls`)."""

    name: str
    path: str
    protocol: str
    listen: tuple[Listen, ...]
    hosts: tuple[str, ...]  # globs `name` or `*.name`, lower case; ("*",): every host
    base: str  # path prefix of http: "/" or "/fhir"
    tls: ServiceTls | None
    accept_from: tuple[str, ...]  # canonical networks; empty = everyone
    accept_proxy_from: tuple[str, ...]  # networks whose connections begin with PROXY v1/v2
    trust_forwarded_from: tuple[str, ...]  # networks whose X-Forwarded-* and Forwarded are believed
    rules: tuple[Rule, ...]
    limits: ProxyLimits


@dataclass(frozen=True, slots=True)
class ProxyTable:
    """One application as its HAProxy sees it, overrides merged in."""

    application: str
    services: Mapping[str, ProxyService]
    pools: Mapping[str, ProxyPool]
