"""A member on this machine that is the very listener of a service that leads to it: traffic would go in circles."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document, Member
from gurney.config.lint.complaint import Complaint, Marks

_EVERY = ("", "0.0.0.0", "::")


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about each such member."""
    for application in document.applications.values():
        for service in application.services.values():
            bound = {(listen.host, listen.port) for listen in service.listen}
            for name in dict.fromkeys(rule.pool for rule in service.rules):
                pool = application.pools.get(name)
                for member in pool.members.values() if pool is not None else ():
                    if _is_bound(member, bound):
                        message = f"member '{member.name}' is the listener of service '{service.name}' that leads to it"
                        hint = "the address of the archive, not of this service"
                        yield Complaint("GRN-L006", member.path, message, hint, (f"{service.path}.listen", f"{service.path}.rules"))


def _is_bound(member: Member, bound: set[tuple[str, int]]) -> bool:
    local = member.host in ("localhost", "::1") or member.host.startswith("127.")
    return (member.host, member.port) in bound or (local and any((host, member.port) in bound for host in _EVERY))
