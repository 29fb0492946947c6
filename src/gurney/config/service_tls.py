"""The one place for reading `tls`: of services, towards clients and senders, and of members."""

from __future__ import annotations

from gurney.config import addresses, http_text, limits, text, words
from gurney.config.faults import Unfit
from gurney.config.fields import Fields
from gurney.config.proxied import ListenerTls, MemberTls, ServiceTls
from gurney.config.tree import Items, Scalar

MEMBER_TLS = MemberTls(ca="system", server_name=None, certificate=None)


def service_tls(service: Fields, protocol: str) -> ServiceTls | None:
    """`tls` of a service; None when it is left out or no mapping."""
    node = service.get("tls")
    fields = service.desk.open(node, service.under("tls"), f"tls.{protocol}", service.key_at("tls")) if node is not None else None
    if fields is None:
        return None
    fields.judge()
    client_ca = _client_ca(fields, "client", "crl")
    client = fields.word("client", words.CLIENTS, (), "word for client", words.CLIENTS[0])
    return ServiceTls(
        certificates=_certificates(fields),
        client_ca=client_ca,
        client=client if client_ca is not None else "none",
        crl=fields.value("crl", http_text.file_name, None),
        alpn=_alpn(fields) if protocol == "http" else (),
        hsts_ms=fields.value("hsts", _hsts, None) if protocol == "http" else None,
        redirect_from=fields.value("redirect_from", addresses.port, None) if protocol == "http" else None,
    )


def listener_tls(service: Fields) -> ListenerTls | None:
    """`tls` of a service the route process carries; None when it is left out or no mapping."""
    node = service.get("tls")
    fields = service.desk.open(node, service.under("tls"), "tls.dicom", service.key_at("tls")) if node is not None else None
    if fields is None:
        return None
    fields.judge()
    return ListenerTls(
        certificates=_certificates(fields),
        client_ca=_client_ca(fields, "crl"),
        crl=fields.value("crl", http_text.file_name, None),
        suites=fields.word("suites", words.SUITES, (), "word for suites", words.SUITES[0]),
    )


def _client_ca(fields: Fields, *needing: str) -> str | None:
    """`client_ca`, without which the keys `needing` it mean nothing."""
    for key in needing:
        if fields.has(key) and not fields.has("client_ca"):
            hint = "client_ca: FILE, the CA whose certificates clients show"
            fields.desk.faults.add(fields.key_at(key), "GRN-S010", f"'{key}' needs 'client_ca'", hint, path=fields.under(key))
    return fields.value("client_ca", http_text.file_name, None)


def _certificates(fields: Fields) -> tuple[str, ...]:
    node, path, desk = fields.get("certificate"), fields.under("certificate"), fields.desk
    if isinstance(node, Scalar) and node.sound and node.text == "acme":
        desk.later(node.at, "certificate: acme", path, "this version has files: certificate: portal.pem")
        return ()
    if isinstance(node, Items) and not node.items:
        desk.wrong(node, path, "GRN-S025", "no certificate", "certificate: FILE")
    if isinstance(node, Items) and len(node.items) > limits.CERTIFICATES:
        desk.wrong(node, path, "GRN-S006", f"more than {limits.CERTIFICATES} certificates in one service")
        return ()
    found = fields.values("certificate", http_text.file_name)
    _said_twice(fields, "certificate", found)
    return found


def _alpn(fields: Fields) -> tuple[str, ...]:
    node = fields.get("alpn")
    if node is None:
        return words.ALPNS
    if isinstance(node, Items) and not node.items:
        fields.desk.wrong(node, fields.under("alpn"), "GRN-S025", "no protocol to offer", f"one of {', '.join(words.ALPNS)}")
    found = fields.values("alpn", lambda given: text.word(given, words.ALPNS, "protocol of alpn", fields.desk.faults.guess))
    _said_twice(fields, "alpn", found)
    return found or words.ALPNS


def _said_twice(fields: Fields, key: str, found: tuple[str, ...]) -> None:
    twice = next((value for at, value in enumerate(found) if value in found[:at]), None)
    node = fields.get(key)
    if twice is not None and node is not None:
        fields.desk.wrong(node, fields.under(key), "GRN-S030", f"'{twice}' is in the list twice", "leave one of them out")


def _hsts(given: str) -> int:
    value = text.duration_ms(given, limits.LONG_SHORTEST_MS, limits.HSTS_LONGEST_MS)
    if value % 1_000:
        raise Unfit("GRN-S015", f"{given} is no max-age", "whole seconds")
    return value


def member_tls(holder: Fields, base: MemberTls | None) -> MemberTls | None:
    """`tls` of a pool or member; what is left out is `base`'s."""
    node = holder.get("tls")
    fields = holder.desk.open(node, holder.under("tls"), "member_tls", holder.key_at("tls")) if node is not None else None
    if fields is None:
        return base
    fields.judge()
    under = base or MEMBER_TLS
    return MemberTls(
        ca=fields.value("ca", _ca, under.ca),
        server_name=fields.value("server_name", http_text.server_name, under.server_name),
        certificate=fields.value("certificate", http_text.file_name, under.certificate),
    )


def _ca(given: str) -> str:
    return given if given == "system" else http_text.file_name(given)
