"""Re-encryption verifies a name: a member given by its address needs `server_name`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about each member with TLS, an IP address and no name to verify."""
    for application in document.applications.values():
        for pool in application.proxied_pools.values():
            for member in pool.members.values():
                if member.tls is not None and member.tls.server_name is None and _is_address(member.host):
                    own = f"{member.path}.tls"
                    about = (own if own in marks else f"{pool.path}.tls", f"{member.path}.address")
                    message = f"member '{member.name}' has TLS and no name to verify: {member.host} is an address"
                    hint = "tls: {server_name: NAME}, the name in its certificate; or address: NAME:PORT"
                    yield Complaint("GRN-L024", member.path, message, hint, about)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
