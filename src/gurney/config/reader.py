"""The one place for reading gurney.yaml: text in, a `Document` or every fault of the file at once out."""

from __future__ import annotations

from collections.abc import Callable

from gurney.config import lint, pools, services, sites, text, words
from gurney.config.document import Application, Document, Pool, Service
from gurney.config.faults import Fault, Faults, Reading, Unfit, shown
from gurney.config.fields import Desk
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
    base = services.service_limits(fields, services.LIMITS)
    later = services.pools_named(services_node, later=True) - services.pools_named(services_node, later=False)
    found_pools: dict[str, Pool] = {}
    if pools_node is not None:
        unread = _only_later(services_node)
        for pool_name, pool_key, value, under in desk.named(pools_node, fields.under("pools"), "pools", _name_of("a pool")):
            if unread or pool_name in later:
                continue  # belongs to a service of a later protocol, about which one error is enough
            found_pools[pool_name] = pools.pool(desk, pool_name, pool_key, value, under)
    found_services: dict[str, Service] = {}
    if services_node is not None:
        for service_name, service_key, value, under in desk.named(
            services_node, fields.under("services"), "services", _name_of("a service")
        ):
            service = services.service(desk, service_name, service_key, value, under, found_pools, base)
            if service is not None:
                found_services[service_name] = service
    for empty, what in ((services_node, "services"), (pools_node, "pools")):
        if isinstance(empty, Entries) and not empty.pairs:
            desk.wrong(empty, fields.under(what), "GRN-S025", f"no {what}")
    return Application(name, path, found_services, found_pools)


def _only_later(node: Node | None) -> bool:
    """Whether every service of an application speaks a protocol of a later version."""
    if not isinstance(node, Entries) or not node.pairs:
        return False
    return all(services.protocol_of(value) in words.PROTOCOLS_LATER for _, value in node.pairs)
