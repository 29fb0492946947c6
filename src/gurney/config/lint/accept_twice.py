"""The same entry twice in a list of senders says nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gurney.config.document import Document, Peer
from gurney.config.lint.complaint import Complaint, Marks, services
from gurney.config.proxied import ProxyService


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns once a list about each entry that is repeated."""
    for _, service in services(document):
        lists: dict[str, Iterable[str]] = {"accept_from": map(_spelt, service.accept_from)}
        if isinstance(service, ProxyService):
            lists |= {"accept_proxy_from": service.accept_proxy_from, "trust_forwarded_from": service.trust_forwarded_from}
        for key, entries in lists.items():
            for entry in _twice(entries):
                yield Complaint("GRN-L015", f"{service.path}.{key}", f"'{entry}' is in the list twice", None, (), "warning")


def _spelt(peer: Peer | str) -> str:
    if isinstance(peer, str):
        return peer
    return "@".join(part for part in (peer.name if peer.network is None or peer.name != "*" else "", peer.network or "") if part)


def _twice(entries: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    said: dict[str, None] = {}
    for entry in entries:
        if entry in seen:
            said[entry] = None
        seen.add(entry)
    return list(said)
