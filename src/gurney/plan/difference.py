"""The one place for the differences between two applications as a person reads them: a document path and what changes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from gurney.config.document import Application, Check, Limits, Member, Pool, Rule, Service
from gurney.plan import shown

Node = TypeVar("Node", Service, Pool, Member, Rule)


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes at one document path."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


Found = Iterator[Difference]
Key = tuple[str, Callable[[Any], object], Callable[[Any], str]]  # the document's key, the value, how it looks


def differences(before: Application | None, after: Application | None) -> tuple[Difference, ...]:
    """Everything that differs, in the document's order; None means that the application is not there."""
    if before is None or after is None:
        there = before or after
        return () if there is None else (Difference(there.path, f"{'added' if before is None else 'removed'}: {_size_of(there)}"),)
    return (
        *_named(before.services, after.services, "service", _service, _service_text),
        *_named(before.pools, after.pools, "pool", _pool, _pool_text),
    )


def _size_of(application: Application) -> str:
    members = sum(len(pool.members) for pool in application.pools.values())
    return ", ".join(
        (shown.count(len(application.services), "service"), shown.count(len(application.pools), "pool"), shown.count(members, "member"))
    )


def _named(
    before: Mapping[str, Node], after: Mapping[str, Node], what: str, changed: Callable[[Node, Node], Found], text: Callable[[Node], str]
) -> Found:
    """Nodes with names: removed, changed, added."""
    for name, node in before.items():
        if name not in after:
            yield Difference(node.path, f"{what} removed")
        elif node != after[name]:
            yield from changed(node, after[name])
    for name, node in after.items():
        if name not in before:
            yield Difference(node.path, f"{what} added: {text(node)}")


def _keys(path: str, before: object, after: object, keys: tuple[Key, ...]) -> Found:
    for key, value, look in keys:
        if value(before) != value(after):
            yield Difference(f"{path}.{key}", f"{look(before)} → {look(after)}")


def _as(name: str, look: Callable[[Any], str] = shown.plain, key: str | None = None) -> Key:
    return key or name, lambda node: getattr(node, name), lambda node: look(getattr(node, name))


_SERVICE: tuple[Key, ...] = (
    _as("protocol"),
    _as("listen", lambda listen: ", ".join(map(shown.listen, listen))),
    _as("ae_title"),
    _as("accept_from", lambda peers: ", ".join(map(shown.peer, peers)) or "everyone"),
    _as("delivery"),
    _as("echo"),
    _as("prefer"),
    _as("non_patient"),
    _as("duplicates"),
    _as("digest"),
    _as("replay_limit", shown.size),
)
_LIMITS: tuple[Key, ...] = (
    *map(_as, ("associations", "associations_per_address", "associations_per_ae", "unassociated", "unassociated_per_address")),
    _as("max_object", shown.size),
)
_POOL: tuple[Key, ...] = (_as("balance"), _as("keep"), _as("site"))
_MEMBER: tuple[Key, ...] = (
    ("address", lambda one: (one.host, one.port, one.ae_title), shown.member),
    _as("calling_ae"),
    _as("max_associations"),
    _as("max_bytes", shown.size),
    _as("rate"),
    _as("site"),
)
_CHECK: tuple[Key, ...] = (
    _as("kind"),
    _as("interval_ms", shown.duration, "interval"),
    _as("timeout_ms", shown.duration, "timeout"),
    _as("rise"),
    _as("fall"),
    _as("expect_contexts", lambda pairs: ", ".join("/".join(pair) for pair in pairs) or shown.NOTHING),
)
_RULE: tuple[Key, ...] = (_as("match", shown.match), _as("pool"), _as("urgency"))


def _service(before: Service, after: Service) -> Found:
    yield from _keys(after.path, before, after, _SERVICE)
    limits: tuple[Limits, Limits] = (before.limits, after.limits)
    yield from _keys(f"{after.path}.limits", *limits, _LIMITS)
    old, new = ({rule.name: rule for rule in service.rules} for service in (before, after))
    yield from _named(old, new, "rule", _rule, shown.rule)
    yield from _order(f"{after.path}.rules", tuple(old), tuple(new))


def _rule(before: Rule, after: Rule) -> Found:
    yield from _keys(after.path, before, after, _RULE)


def _pool(before: Pool, after: Pool) -> Found:
    yield from _keys(after.path, before, after, _POOL)
    for row in sorted({*before.statuses, *after.statuses}):
        old, new = before.statuses.get(row), after.statuses.get(row)
        if old != new:
            yield Difference(f"{after.path}.statuses.{row}", f"{shown.plain(old)} → {shown.plain(new)}")
    yield from _named(before.members, after.members, "member", _member, shown.member)
    yield from _order(f"{after.path}.members", tuple(before.members), tuple(after.members))


def _member(before: Member, after: Member) -> Found:
    if before.override != after.override:
        yield Difference(after.path, f"override {shown.plain(before.override)} → {shown.plain(after.override)}")
    elif before.weight != after.weight:  # under an override it is the override's, and said above
        yield Difference(f"{after.path}.weight", f"{before.weight} → {after.weight}")
    yield from _keys(after.path, before, after, _MEMBER)
    checks: tuple[Check, Check] = (before.check, after.check)
    yield from _keys(f"{after.path}.check", *checks, _CHECK)


def _order(path: str, before: tuple[str, ...], after: tuple[str, ...]) -> Found:
    """A changed order of what is in both; what came or went is said on its own."""
    old = tuple(name for name in before if name in after)
    new = tuple(name for name in after if name in before)
    if old != new:
        yield Difference(path, f"order {', '.join(old)} → {', '.join(new)}")


def _service_text(service: Service) -> str:
    return f"{service.protocol} on {', '.join(map(shown.listen, service.listen))}, {shown.count(len(service.rules), 'rule')}"


def _pool_text(pool: Pool) -> str:
    return f"{pool.balance} over {', '.join(map(shown.member, pool.members.values()))}"
