"""The one place for reading gurney.yaml: text in, a `Document` or every fault of the file at once out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gurney.config import families, lint, pools, proxied_pools, proxied_services, services, sites, text, words
from gurney.config.document import Application, Document, Limits, Pool, Service
from gurney.config.faults import Fault, Faults, Reading, Unfit, shown
from gurney.config.fields import Desk
from gurney.config.proxied import ProxyLimits, ProxyPool, ProxyService
from gurney.config.tree import Entries, Node, Scalar, grow

__all__ = ["Fault", "Reading", "read"]

VERSION = 1  # of the document


def read(text: str, file: str = "gurney.yaml") -> Reading:
    """Reads a document; `file` is what faults call it. Raises nothing, whatever the text."""
    faults = Faults(file)
    desk = Desk(faults)
    root = grow(text, faults)
    draft = _document(desk, root) if root is not None else None
    if draft is not None:
        lint.judge(draft, desk)
    return Reading(None if faults.refused else draft, faults.listed(), desk.marks)


def _document(desk: Desk, root: Node) -> Document | None:
    fields = desk.open(root, "", "document", root.at)
    if fields is None:
        return None
    fields.judge()
    version = fields.value("gurney", _version, VERSION)
    sites_node = fields.get("sites")
    found_sites = sites.sites(desk, sites_node, "sites") if sites_node is not None else {}
    desk.sites = found_sites
    applications: dict[str, Application] = {}
    node = fields.get("applications")
    if node is not None:
        for name, key, value, path in desk.named(node, "applications", "applications", _name_of("an application")):
            application = _application(desk, name, key, value, path)
            if application is not None:
                applications[name] = application
        if isinstance(node, Entries) and not node.pairs:
            desk.wrong(node, "applications", "GRN-S025", "no applications")
    return Document(version, found_sites, applications)


def _version(given: str) -> int:
    if given != str(VERSION):
        raise Unfit("GRN-S027", f"document version {shown(given)} is not known", f"this program reads version {VERSION}")
    return VERSION


def _name_of(what: str) -> Callable[[str], str]:
    return lambda given: text.name(given, what)


def _application(desk: Desk, name: str, key: Scalar, node: Node, path: str) -> Application | None:
    fields = desk.open(node, path, "application", key.at)
    if fields is None:
        return None
    services_node, pools_node = fields.get("services"), fields.get("pools")
    fields.judge()
    inner = services.limits_of(fields, "limits")
    base = services.dicom_limits(inner, services.LIMITS)
    proxy_bases = proxied_services.application_limits(inner)
    found = Application(name, path, {}, {}, {}, {})
    if pools_node is not None:
        found = _pools(desk, found, services_node, pools_node, fields.under("pools"))
    if services_node is not None:
        found = _services(desk, found, services_node, fields.under("services"), base, proxy_bases)
    for empty, what in ((services_node, "services"), (pools_node, "pools")):
        if isinstance(empty, Entries) and not empty.pairs:
            desk.wrong(empty, fields.under(what), "GRN-S025", f"no {what}")
    return found


def _pools(desk: Desk, application: Application, services_node: Node | None, node: Node, path: str) -> Application:
    """The application with its pools: each read by the table of the protocol that leads to it."""
    led = families.leads(services_node, node)
    names = [key.text for key, _ in node.pairs] if isinstance(node, Entries) else []
    of_route: dict[str, Pool] = {}
    of_proxy: dict[str, ProxyPool] = {}
    for name, key, value, under in desk.named(node, path, "pools", _name_of("a pool")):
        protocol = families.pool_protocol(name, value, led, services_node)
        if protocol == "later":
            continue  # belongs to a service of a later protocol, about which one error is enough
        conflict = families.conflict(led.get(name, {}))
        if conflict is not None:
            hint = "a pool for each; their members may be the same"
            desk.wrong(key, under, "GRN-S032", f"pool {shown(name)} cannot serve two protocols: {conflict} lead to it", hint)
        if protocol in words.PROXY_PROTOCOLS:
            of_proxy[name] = proxied_pools.pool(desk, name, key, value, under, protocol, names)
        else:
            of_route[name] = pools.pool(desk, name, key, value, under)
    return replace(application, pools=of_route, proxied_pools=of_proxy)


def _services(
    desk: Desk, application: Application, node: Node, path: str, base: Limits, proxy_bases: Mapping[str, ProxyLimits]
) -> Application:
    """The application with its services."""
    known = (*application.pools, *application.proxied_pools)
    of_route: dict[str, Service] = {}
    of_proxy: dict[str, ProxyService] = {}
    for name, key, value, under in desk.named(node, path, "services", _name_of("a service")):
        protocol = families.protocol_of(value)
        if protocol in words.PROTOCOLS_LATER:
            _later(desk, value, under)
        elif protocol in words.PROXY_PROTOCOLS:
            proxied = proxied_services.service(desk, name, key, value, under, protocol, known, proxy_bases[protocol])
            of_proxy.update({name: proxied} if proxied is not None else {})
        else:
            service = services.service(desk, name, key, value, under, known, base)
            of_route.update({name: service} if service is not None else {})
    return replace(application, services=of_route, proxied=of_proxy)


def _later(desk: Desk, node: Node, path: str) -> None:
    """A service of a later protocol: said once, nothing else about it."""
    protocol = families.child(node, "protocol")
    if protocol is not None:
        desk.marks.setdefault(f"{path}.protocol", protocol.at)
        desk.word(protocol, f"{path}.protocol", words.PROTOCOLS, words.PROTOCOLS_LATER, "protocol", "protocol")
    desk.faults.breaks(path)
