"""The same address, port and AE title twice in one pool: a replay would meet the member that has just failed."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.addresses import spell_target
from gurney.config.document import Document, Member
from gurney.config.lint.complaint import Complaint, Marks, pools
from gurney.config.proxied import ProxyMember


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about the later of two members with one destination."""
    for _, pool in pools(document):
        first: dict[tuple[str, int, str | None], Member | ProxyMember] = {}
        for member in pool.members.values():
            title = member.ae_title if isinstance(member, Member) else None
            earlier = first.setdefault((member.host, member.port, title), member)
            if earlier is not member:
                where = spell_target(member.host, member.port)
                message = f"members '{earlier.name}' and '{member.name}' are the same destination, {where}"
                yield Complaint("GRN-L007", member.path, message, "a larger share is a higher weight", (earlier.path,))
