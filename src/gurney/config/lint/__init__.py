"""The one place for lint: combinations that are each legal and cannot work together. One rule a file, listed in RULES.

A rule is a module with `look(document, marks)`, which yields complaints. It sees a whole document: what was faulty has its default there,
and complaints about anything with an error of its own are dropped here, so that one mistake is said once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gurney.config.document import Document
from gurney.config.fields import Desk
from gurney.config.lint import (
    accept_twice,
    catch_all,
    contexts_unasked,
    destination_twice,
    fallback_circle,
    file_kinds,
    host_like_name,
    idle_word,
    last_rule,
    limit_order,
    listener_count,
    listener_twice,
    local_echo,
    node_twice,
    own_listener,
    redirect_target,
    repeated_base,
    same_match,
    shared_listener,
    trusts_everyone,
    unadmitted_ae,
    unknown_listener,
    unnamed_member,
    unserved_host,
    unused_pool,
    unused_weight,
)
from gurney.config.lint.complaint import Complaint, Marks

RULES: tuple[Callable[[Document, Marks], Iterable[Complaint]], ...] = (
    catch_all.look,
    last_rule.look,
    same_match.look,
    listener_twice.look,
    unused_pool.look,
    own_listener.look,
    destination_twice.look,
    contexts_unasked.look,
    unused_weight.look,
    limit_order.look,
    unadmitted_ae.look,
    unknown_listener.look,
    local_echo.look,
    node_twice.look,
    accept_twice.look,
    host_like_name.look,
    listener_count.look,
    shared_listener.look,
    redirect_target.look,
    fallback_circle.look,
    unserved_host.look,
    idle_word.look,
    unnamed_member.look,
    file_kinds.look,
    trusts_everyone.look,
    repeated_base.look,
)


def judge(document: Document, desk: Desk) -> None:
    """Lets every rule look at the document and says what they found."""
    for look in RULES:
        for complaint in list(look(document, desk.marks)):
            if any(desk.faults.is_broken(path) for path in (complaint.path, *complaint.about)):
                continue
            desk.faults.add(
                _place(complaint.path, desk.marks),
                complaint.code,
                complaint.message,
                complaint.hint,
                severity=complaint.severity,
                breaks=False,
            )


def _place(path: str, marks: Marks) -> tuple[int, int]:
    """Where `path` stands, or the nearest thing around it that has a mark."""
    while path not in marks and path:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return marks.get(path, (1, 1))
