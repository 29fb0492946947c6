"""A bare name in `accept_from` is an AE title; one that looks like a host name was probably meant as an address."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks
from gurney.config.text import host_name


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns about each bare name with a dot that could be a host name."""
    for application in document.applications.values():
        for service in application.services.values():
            for peer in service.accept_from:
                if peer.network is None and "." in peer.name and host_name(peer.name):
                    message = f"'{peer.name}' is taken as an AE title: host names are no sender addresses"
                    yield Complaint("GRN-L016", f"{service.path}.accept_from", message, "an IP address or network", (), "warning")
