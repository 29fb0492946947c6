"""The same entry of `accept_from` twice says nothing more."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document, Peer
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns once a service about each entry that is repeated."""
    for application in document.applications.values():
        for service in application.services.values():
            seen: set[Peer] = set()
            said: set[Peer] = set()
            for peer in service.accept_from:
                if peer in seen and peer not in said:
                    said.add(peer)
                    text = "@".join(
                        part for part in (peer.name if peer.network is None or peer.name != "*" else "", peer.network or "") if part
                    )
                    yield Complaint("GRN-L015", f"{service.path}.accept_from", f"'{text}' is in the list twice", None, (), "warning")
                seen.add(peer)
