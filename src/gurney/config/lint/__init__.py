"""The one place for lint: combinations that are each legal and cannot work together. One rule a file, listed here."""

from __future__ import annotations

from gurney.config.document import Document
from gurney.config.fields import Desk


def judge(document: Document, desk: Desk) -> None:
    """Lets every rule look at the document and says what they found."""
