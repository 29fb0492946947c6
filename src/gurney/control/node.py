"""The one place where a node learns who it is: `--node`, else the only one of the document, else the one with this host's name."""

from __future__ import annotations

from gurney.config.document import Document
from gurney.errors import InputRefused


def choose(document: Document, given: str | None, hostname: str) -> str | None:
    """The node's name, or None when the document names no nodes. Raises `InputRefused`."""
    nodes = sorted(node for site in document.sites.values() for node in site.nodes)
    if given is not None:
        if given not in nodes:
            raise InputRefused(f"the document has no node '{given}'", hint=_choice(nodes))
        return given
    if len(nodes) <= 1:
        return nodes[0] if nodes else None
    short = hostname.split(".")[0]
    for name in (hostname, short):
        if name in nodes:
            return name
    raise InputRefused(f"the document has {len(nodes)} nodes and none is called '{short}' as this host is", hint=_choice(nodes))


def _choice(nodes: list[str]) -> str:
    return f"--node {' | '.join(nodes)}" if nodes else "it names no nodes at all: leave --node out"
