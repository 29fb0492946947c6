"""The one place for what members are told of the client: X-Forwarded-*, Forwarded (RFC 7239) and the client's certificate.

What clients send of these is dropped, where it comes from no trusted network; identity headers are dropped from everyone.
"""

from __future__ import annotations

from collections.abc import Sequence

from gurney.compile.haproxy.rules import Desk, is_made
from gurney.compile.haproxy.settings import said
from gurney.compile.haproxy.tree import Call, Format, Header, Int, Leaf, Line, Network, Quoted, Term, Word, call, sample, words
from gurney.config.proxied import ProxyService, ServiceTls
from gurney.config.served import Listen

_IDENTITY: tuple[tuple[str, tuple[Call, ...]], ...] = (
    ("X-SSL-Client-Verify", (call("ssl_c_verify"),)),
    ("X-SSL-Client-DN", (call("ssl_c_s_dn", Word(""), Int(0), Word("rfc2253")),)),
    ("X-SSL-Client-Issuer", (call("ssl_c_i_dn", Word(""), Int(0), Word("rfc2253")),)),
    ("X-SSL-Client-Serial", (call("ssl_c_serial"), call("hex"))),
    ("X-SSL-Client-SHA256", (call("ssl_c_der"), call("sha2", Int(256)), call("hex"))),
)


def passed_on(desk: Desk, listen: Listen, services: Sequence[ProxyService]) -> list[Line]:
    """The headers about the client's connection, beside X-Forwarded-For and Forwarded, which HAProxy itself appends."""
    secure = services[0].tls is not None
    trusting = [service for service in services if service.trust_forwarded_from]
    lines = [_trusted(desk, service, alone=len(services) == 1) for service in trusting]
    trusted = Term(sample(call("var", Word("txn.trusted"))), words("-m bool"))
    unless: tuple[Leaf, ...] = (Word("unless"), trusted) if trusting else ()
    lines += [
        said("http-request del-header", Header("Forwarded"), *unless),
        said("http-request del-header", Header("X-Forwarded-"), *words("-m beg"), *unless),
    ]
    values = {
        "Proto": Format((Quoted("https" if secure else "http"),)),
        "Host": Format((sample(call("req.fhdr", Word("host"))),)),
        "Port": Format((Int(listen.port, 1, 65_535),)),
    }
    for word, value in values.items():
        header = Header(f"X-Forwarded-{word}")
        kept: tuple[Leaf, ...] = (*unless, Term(sample(call("req.fhdr", header)), words("-m found"))) if trusting else ()
        lines.append(said("http-request set-header", header, value, *kept))
    return lines


def _trusted(desk: Desk, service: ProxyService, alone: bool) -> Line:
    name = desk.named.made("v", service.path)
    file = desk.files.values(name, "trust", [Network(value) for value in service.trust_forwarded_from])
    mine = () if alone else (is_made("service", name),)
    terms: tuple[Leaf, ...] = (Word("if"), *mine, Term(sample(call("src")), file=file))
    return said(
        "http-request set-var(txn.trusted)", sample(call("bool", Word("true"))), *terms, path=f"{service.path}.trust_forwarded_from"
    )


def identity(tls: ServiceTls | None, path: str) -> list[Line]:
    """The client's certificate as headers, where one is asked for; the headers never come from a client."""
    lines = [said("http-request del-header", Header("X-SSL-Client-"), *words("-m beg"))]
    if tls is None or tls.client == "none":
        return lines
    shown: tuple[Leaf, ...] = () if tls.client == "required" else (Word("if"), Term(sample(call("ssl_c_used"))))
    for name, calls in _IDENTITY:
        lines.append(said("http-request set-header", Header(name), Format((sample(*calls),)), *shown, path=f"{path}.tls.client"))
    return lines
