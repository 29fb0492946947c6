"""A limit for one address or AE title above the limit of the whole service never takes effect."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns about each such pair, where one of the two was written."""
    for application in document.applications.values():
        for service in application.services.values():
            found = service.limits
            pairs = (
                ("associations_per_address", found.associations_per_address, "associations", found.associations),
                ("associations_per_ae", found.associations_per_ae, "associations", found.associations),
                ("unassociated_per_address", found.unassociated_per_address, "unassociated", found.unassociated),
            )
            for inner, inside, outer, around in pairs:
                path = f"{service.path}.limits.{inner}"
                if inside > around and path in marks:
                    yield Complaint("GRN-L010", path, f"'{inner}' is {inside}, above '{outer}', {around}", None, (), "warning")
