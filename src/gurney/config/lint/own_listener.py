"""A member on this machine that is the very listener of a service that leads to it: traffic would go in circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gurney.config.document import Application, Document, Member, Pool
from gurney.config.lint.complaint import Complaint, Marks, services
from gurney.config.proxied import ProxyMember, ProxyPool, ProxyService

_EVERY = ("", "0.0.0.0", "::")


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about each such member."""
    for application, service in services(document):
        bound = {(listen.host, listen.port) for listen in service.listen}
        named = list(dict.fromkeys(rule.pool for rule in service.rules))
        pools = _with_fallbacks(application, named) if isinstance(service, ProxyService) else _of(application.pools, named)
        for pool in pools:
            for member in pool.members.values():
                if _is_bound(member, bound):
                    message = f"member '{member.name}' is the listener of service '{service.name}' that leads to it"
                    hint = f"the address of {'the archive' if isinstance(member, Member) else 'the server'}, not of this service"
                    yield Complaint("GRN-L006", member.path, message, hint, (f"{service.path}.listen", f"{service.path}.rules"))


def _of(pools: Mapping[str, Pool], named: Sequence[str]) -> list[Pool]:
    return [pools[name] for name in named if name in pools]


def _with_fallbacks(application: Application, named: Sequence[str]) -> list[ProxyPool]:
    """The pools a service names, and those that stand in for them."""
    found: dict[str, ProxyPool] = {}
    waiting = list(reversed(named))
    while waiting:
        pool = application.proxied_pools.get(waiting.pop())
        if pool is not None and pool.name not in found:
            found[pool.name] = pool
            waiting.extend([pool.fallback] if pool.fallback is not None else [])
    return list(found.values())


def _is_bound(member: Member | ProxyMember, bound: set[tuple[str, int]]) -> bool:
    local = member.host in ("localhost", "::1") or member.host.startswith("127.")
    return (member.host, member.port) in bound or (local and any((host, member.port) in bound for host in _EVERY))
