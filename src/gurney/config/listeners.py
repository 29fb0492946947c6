"""The one place for which addresses an application has HAProxy bind: of its services, and those that redirect to https."""

from __future__ import annotations

from gurney.config.document import Application
from gurney.config.proxied import ProxyService
from gurney.config.served import Listen


def redirects(service: ProxyService) -> tuple[Listen, ...]:
    """The addresses at which `redirect_from` answers 308: that port on each address the service listens on, none twice.

    Where the service listens on every address (of a family) somewhere, that one address stands for those it holds.
    """
    if service.tls is None or service.tls.redirect_from is None:
        return ()
    port = service.tls.redirect_from
    hosts = dict.fromkeys(listen.host for listen in service.listen)
    if "" in hosts:
        return (Listen("", port),)
    return tuple(Listen(host, port) for host in hosts if host in ("0.0.0.0", "::") or ("::" if ":" in host else "0.0.0.0") not in hosts)


def shared(application: Application) -> dict[Listen, tuple[ProxyService, ...]]:
    """Every address HAProxy listens on for services, with the services that share it, in the order of the document."""
    found: dict[Listen, tuple[ProxyService, ...]] = {}
    for service in application.proxied.values():
        for listen in dict.fromkeys(service.listen):
            found[listen] = (*found.get(listen, ()), service)
    return found


def redirecting(application: Application) -> dict[Listen, tuple[ProxyService, ...]]:
    """Every address that only redirects to https, with the services it does so for.

    A request goes to the port of the first address its service listens on; a service without the request's host gets 404.
    """
    found: dict[Listen, tuple[ProxyService, ...]] = {}
    for service in application.proxied.values():
        for listen in redirects(service):
            found[listen] = (*found.get(listen, ()), service)
    return found
