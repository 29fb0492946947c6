"""Who is believed about a client's address: a network that holds everyone lets anyone name any address."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks, proxied

_EVERYONE = ("0.0.0.0/0", "::/0")


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns about each list that has such a network."""
    for service in proxied(document):
        for key, networks in (("accept_proxy_from", service.accept_proxy_from), ("trust_forwarded_from", service.trust_forwarded_from)):
            found = next((network for network in networks if network in _EVERYONE), None)
            if found is not None:
                message = f"'{key}: {found}' believes everyone: any client could give any address as its own"
                hint = "the addresses of the balancers in front alone"
                yield Complaint("GRN-L026", f"{service.path}.{key}", message, hint, (), "warning")
