"""The one place for the differences between two applications as a person reads them: a document path and what changes there."""

from __future__ import annotations

from gurney.config.document import Application, Check, Limits, Member, Pool, Rule, Service
from gurney.config.proxied import ListenerTls
from gurney.plan import proxied, shown
from gurney.plan.compare import Difference, Found, Key, keys, named, order, part, told

__all__ = ["Difference", "differences"]


def differences(before: Application | None, after: Application | None) -> tuple[Difference, ...]:
    """Everything that differs, in the document's order; None means that the application is not there."""
    if before is None or after is None:
        there = before or after
        return () if there is None else (Difference(there.path, f"{'added' if before is None else 'removed'}: {_size_of(there)}"),)
    return (
        *named(before.services, after.services, "service", _service, _service_text),
        *named(before.proxied, after.proxied, "service", proxied.service, proxied.service_text),
        *named(before.pools, after.pools, "pool", _pool, _pool_text),
        *named(before.proxied_pools, after.proxied_pools, "pool", proxied.pool, proxied.pool_text),
    )


def _size_of(application: Application) -> str:
    pools = [*application.pools, *application.proxied_pools]
    members = [len(pool.members) for pool in application.pools.values()]
    members += [len(pool.members) for pool in application.proxied_pools.values()]
    return ", ".join(
        (
            shown.count(len(application.services) + len(application.proxied), "service"),
            shown.count(len(pools), "pool"),
            shown.count(sum(members), "member"),
        )
    )


_SERVICE: tuple[Key, ...] = (
    told("protocol"),
    told("listen", lambda listen: ", ".join(map(shown.listen, listen))),
    told("ae_title"),
    told("accept_from", lambda peers: ", ".join(map(shown.peer, peers)) or "everyone"),
    told("delivery"),
    told("echo"),
    told("prefer"),
    told("non_patient"),
    told("duplicates"),
    told("digest"),
    told("replay_limit", shown.size),
)
_TLS: tuple[Key, ...] = (told("certificates", key="certificate"), told("client_ca"), told("crl"), told("suites"))
_LIMITS: tuple[Key, ...] = (
    *map(told, ("associations", "associations_per_address", "associations_per_ae", "unassociated", "unassociated_per_address")),
    told("max_object", shown.size),
)
_POOL: tuple[Key, ...] = (told("balance"), told("keep"), told("site"))
_MEMBER: tuple[Key, ...] = (
    ("address", lambda one: (one.host, one.port, one.ae_title), shown.member),
    told("calling_ae"),
    told("max_associations"),
    told("max_bytes", shown.size),
    told("rate"),
    told("site"),
)
_CHECK: tuple[Key, ...] = (
    told("kind"),
    told("interval_ms", shown.duration, "interval"),
    told("timeout_ms", shown.duration, "timeout"),
    told("rise"),
    told("fall"),
    told("expect_contexts", lambda pairs: ", ".join("/".join(pair) for pair in pairs) or shown.NOTHING),
)
_RULE: tuple[Key, ...] = (told("match", shown.match), told("pool"), told("urgency"))


def _service(before: Service, after: Service) -> Found:
    yield from keys(after.path, before, after, _SERVICE)
    yield from part(f"{after.path}.tls", before.tls, after.tls, _TLS, _tls_text)
    limits: tuple[Limits, Limits] = (before.limits, after.limits)
    yield from keys(f"{after.path}.limits", *limits, _LIMITS)
    old, new = ({rule.name: rule for rule in service.rules} for service in (before, after))
    yield from named(old, new, "rule", _rule, shown.rule)
    yield from order(f"{after.path}.rules", tuple(old), tuple(new))


def _rule(before: Rule, after: Rule) -> Found:
    yield from keys(after.path, before, after, _RULE)


def _pool(before: Pool, after: Pool) -> Found:
    yield from keys(after.path, before, after, _POOL)
    for row in sorted({*before.statuses, *after.statuses}):
        old, new = before.statuses.get(row), after.statuses.get(row)
        if old != new:
            yield Difference(f"{after.path}.statuses.{row}", f"{shown.plain(old)} → {shown.plain(new)}")
    yield from named(before.members, after.members, "member", _member, shown.member)
    yield from order(f"{after.path}.members", tuple(before.members), tuple(after.members))


def _member(before: Member, after: Member) -> Found:
    if before.override != after.override:
        yield Difference(after.path, f"override {shown.plain(before.override)} → {shown.plain(after.override)}")
    elif before.weight != after.weight:  # under an override it is the override's, and said above
        yield Difference(f"{after.path}.weight", f"{before.weight} → {after.weight}")
    yield from keys(after.path, before, after, _MEMBER)
    yield from part(f"{after.path}.tls", before.tls, after.tls, proxied.MEMBER_TLS, proxied.member_tls_text)
    checks: tuple[Check, Check] = (before.check, after.check)
    yield from keys(f"{after.path}.check", *checks, _CHECK)


def _tls_text(given: ListenerTls) -> str:
    mutual = "" if given.client_ca is None else ", client certificates required"
    return f"certificate {', '.join(given.certificates)}{mutual}"


def _service_text(service: Service) -> str:
    secured = "" if service.tls is None else " with TLS"
    where = ", ".join(map(shown.listen, service.listen))
    return f"{service.protocol} on {where}{secured}, {shown.count(len(service.rules), 'rule')}"


def _pool_text(pool: Pool) -> str:
    return f"{pool.balance} over {', '.join(map(shown.member, pool.members.values()))}"
