"""The one place for reading sites and their nodes."""

from __future__ import annotations

from gurney.config import addresses, text
from gurney.config.document import Site
from gurney.config.fields import Desk
from gurney.config.tree import Node


def sites(desk: Desk, node: Node, path: str) -> dict[str, Site]:
    """The sites by name."""
    found: dict[str, Site] = {}
    for name, key, value, under in desk.named(node, path, "sites", lambda given: text.name(given, "a site")):
        fields = desk.open(value, under, "site", key.at)
        if fields is None:
            continue
        fields.judge()
        nodes: dict[str, str] = {}
        listed = fields.get("nodes")
        if listed is not None:
            for node_name, _, address, below in desk.named(
                listed, fields.under("nodes"), "nodes", lambda given: text.name(given, "a node")
            ):
                host = desk.value(address, below, addresses.host)
                if host is not None:
                    nodes[node_name] = host
        found[name] = Site(
            name=name,
            jurisdiction=fields.value("jurisdiction", text.jurisdiction, ""),
            cloud=fields.value("cloud", lambda given: text.name(given, "a cloud"), None),
            nodes=nodes,
        )
    return found
