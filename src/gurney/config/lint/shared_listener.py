"""Services that share a listener: each host and path belongs to one of them, and what a listener has only once is the same for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gurney.config.addresses import spell_target
from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks
from gurney.config.listeners import shared
from gurney.config.proxied import ProxyService
from gurney.config.served import Listen


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about the later of two services that overlap, or that differ in what belongs to the listener."""
    for application in document.applications.values():
        said: set[tuple[str, str]] = set()
        for listen, services in shared(application).items():
            yield from _overlaps(services, listen, said)
            yield from _differences(services, listen, said)


def _overlaps(services: tuple[ProxyService, ...], listen: Listen, said: set[tuple[str, str]]) -> Iterator[Complaint]:
    """Each service against those before it, once for a pair of services."""
    first: dict[tuple[str, str, str], ProxyService] = {}
    for late in services:
        for host in late.hosts:
            early = first.setdefault((late.protocol, host, late.base), late)
            if early is not late and (early.path, late.path) not in said:
                said.add((early.path, late.path))
                yield _overlap(early, late, host, listen)


def _overlap(early: ProxyService, late: ProxyService, host: str, listen: Listen) -> Complaint:
    what = f"host '{host}'" if early.protocol == "tcp" else f"host '{host}' below '{late.base}'"
    hint = "hosts: [NAME] with `tls`" if early.protocol == "tcp" else "other hosts, or another base"
    about = tuple(f"{service.path}.{key}" for service in (early, late) for key in ("hosts", "base", "listen"))
    message = f"service '{late.name}' is never reached on {_spelt(listen)}: service '{early.name}' serves {what} too"
    return Complaint("GRN-L018", late.path, message, hint, about)


def _differences(services: tuple[ProxyService, ...], listen: Listen, said: set[tuple[str, str]]) -> Iterator[Complaint]:
    """Each service against the first of its listener."""
    first, *others = services
    for service in others:
        if service.protocol != first.protocol or (first.path, f"{service.path} differs") in said:
            continue
        ours, theirs = _once(service), _once(first)
        for key in ours:
            if ours[key] != theirs[key]:
                said.add((first.path, f"{service.path} differs"))
                message = f"service '{service.name}' shares {_spelt(listen)} with service '{first.name}' and differs in '{key}'"
                hint = "what belongs to the listener is the same for every service there; or another port"
                about = tuple(f"{one.path}.{key.partition('.')[0]}" for one in (service, first))
                yield Complaint("GRN-L019", f"{service.path}.{key}", message, hint, (*about, f"{first.path}.listen"))
                break


def _once(service: ProxyService) -> Mapping[str, Any]:
    """What a listener has only once, by the key that says it."""
    tls = service.tls
    return {
        "tls": tls is not None,
        "tls.client_ca": tls and tls.client_ca,
        "tls.client": tls and tls.client,
        "tls.crl": tls and tls.crl,
        "tls.alpn": tls and tls.alpn,
        "accept_proxy_from": frozenset(service.accept_proxy_from),
        "limits.connections": service.limits.connections,
        "limits.headers": service.limits.headers_ms,
        "limits.idle": service.limits.idle_ms,
    }


def _spelt(listen: Listen) -> str:
    return spell_target(listen.host, listen.port) if listen.host else f"port {listen.port}"
