"""Under `balance: failover` the first member that is up takes everything: a weight has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.lint.complaint import Complaint, Marks, pools


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Warns at each weight that stands in such a pool."""
    for _, pool in pools(document):
        if pool.balance != "failover":
            continue
        for path in (pool.path, *(member.path for member in pool.members.values())):
            if f"{path}.weight" in marks:
                message = f"a weight has no effect in pool '{pool.name}': its balance is failover"
                yield Complaint("GRN-L009", f"{path}.weight", message, None, (), "warning")
