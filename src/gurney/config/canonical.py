"""The one place for a document's canonical form: two files that mean the same have one text and one digest.

Comments, order of keys, short or long forms and defaults that are written out make no difference; the order of rules, members, listeners
and `prefer` does. Document paths stand for places in a file and are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from gurney.config.document import Document, Member
from gurney.config.proxied import ProxyCheck, ProxyMember


def plain(document: Document) -> Any:
    """The document as JSON values; members stand in a list, because their order is wanted state (failover, turns)."""
    return _plain(document)


def text(document: Document) -> str:
    """Sorted keys, compact, UTF-8, one line."""
    return json.dumps(plain(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def digest(document: Document) -> str:
    """SHA-256 of `text` in hex."""
    return hashlib.sha256(text(document).encode()).hexdigest()


def _plain(value: object) -> Any:
    if value is None or isinstance(value, (str, int)):
        return value  # most of a document
    if is_dataclass(value):
        placed = not isinstance(value, ProxyCheck)  # whose path is what it asks for
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value) if item.name != "path" or not placed}
    if isinstance(value, Mapping):
        if any(isinstance(item, (Member, ProxyMember)) for item in value.values()):
            return [_plain(item) for item in value.values()]
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
