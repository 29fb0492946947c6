"""The one place for the differences of what HAProxy carries: services of http and tcp, their pools, members and checks."""

from __future__ import annotations

from collections.abc import Sequence

from gurney.config.proxied import MemberTls, ProxyMember, ProxyPool, ProxyService, ServiceTls
from gurney.config.served import Rule
from gurney.plan import shown
from gurney.plan.compare import Difference, Found, Key, keys, named, order, part, told


def _networks(given: Sequence[str]) -> str:
    return ", ".join(given) or "everyone"


_SERVICE: tuple[Key, ...] = (
    told("protocol"),
    told("listen", lambda listen: ", ".join(map(shown.listen, listen))),
    told("hosts"),
    told("base"),
    told("accept_from", _networks),
    told("accept_proxy_from"),
    told("trust_forwarded_from"),
)
_TLS: tuple[Key, ...] = (
    told("certificates", key="certificate"),
    told("client_ca"),
    told("client"),
    told("crl"),
    told("alpn"),
    told("hsts_ms", shown.duration, "hsts"),
    told("redirect_from"),
)
_LIMITS: tuple[Key, ...] = (
    told("connections"),
    told("headers_ms", shown.duration, "headers"),
    told("body", shown.size),
    told("idle_ms", shown.duration, "idle"),
)
_RULE: tuple[Key, ...] = (told("match", shown.match), told("pool"), told("urgency"))
_POOL: tuple[Key, ...] = (
    told("protocol"),
    told("balance"),
    told("max_in_flight"),
    told("slow_start_ms", shown.duration, "slow_start"),
    told("panic", lambda percent: f"{percent}%"),
    told("fallback"),
    told("fallback_page", key="fallback.page"),
    told("site"),
)
_PERSIST: tuple[Key, ...] = (told("kind", key="by"), told("for_ms", shown.duration, "for"), told("then"))
_QUEUE: tuple[Key, ...] = (told("most"), told("wait_ms", shown.duration, "wait"))
_MEMBER: tuple[Key, ...] = (
    ("address", lambda one: (one.host, one.port), shown.address),
    told("proxy"),
    told("site"),
)
MEMBER_TLS: tuple[Key, ...] = (told("ca"), told("server_name"), told("certificate"))
_CHECK: tuple[Key, ...] = (
    told("kind"),
    told("interval_ms", shown.duration, "interval"),
    told("timeout_ms", shown.duration, "timeout"),
    told("rise"),
    told("fall"),
    told("path"),
    told("host"),
    told("expect", lambda ranges: ", ".join(f"{low}-{high}" if low != high else str(low) for low, high in ranges) or shown.NOTHING),
)


def service(before: ProxyService, after: ProxyService) -> Found:
    """What differs between two services of one name."""
    yield from keys(after.path, before, after, _SERVICE)
    yield from part(f"{after.path}.tls", before.tls, after.tls, _TLS, _tls_text)
    yield from keys(f"{after.path}.limits", before.limits, after.limits, _LIMITS)
    old, new = ({rule.name: rule for rule in one.rules} for one in (before, after))
    yield from named(old, new, "rule", _rule, shown.rule)
    yield from order(f"{after.path}.rules", tuple(old), tuple(new))


def _rule(before: Rule, after: Rule) -> Found:
    yield from keys(after.path, before, after, _RULE)


def pool(before: ProxyPool, after: ProxyPool) -> Found:
    """What differs between two pools of one name."""
    yield from keys(after.path, before, after, _POOL)
    yield from keys(f"{after.path}.persist", before.persist, after.persist, _PERSIST)
    yield from keys(f"{after.path}.queue", before.queue, after.queue, _QUEUE)
    yield from named(before.members, after.members, "member", _member, shown.address)
    yield from order(f"{after.path}.members", tuple(before.members), tuple(after.members))


def _member(before: ProxyMember, after: ProxyMember) -> Found:
    if before.override != after.override:
        yield Difference(after.path, f"override {shown.plain(before.override)} → {shown.plain(after.override)}")
    elif before.weight != after.weight:  # under an override it is the override's, and said above
        yield Difference(f"{after.path}.weight", f"{before.weight} → {after.weight}")
    yield from keys(after.path, before, after, _MEMBER)
    yield from part(f"{after.path}.tls", before.tls, after.tls, MEMBER_TLS, member_tls_text)
    yield from keys(f"{after.path}.check", before.check, after.check, _CHECK)


def service_text(given: ProxyService) -> str:
    """`http on *:8080, 2 rules`, with its hosts and base where it has some."""
    words = [f"{given.protocol} on {', '.join(map(shown.listen, given.listen))}"]
    if given.hosts != ("*",):
        words.append(f"for {', '.join(given.hosts)}")
    if given.base != "/":
        words.append(f"under {given.base}")
    if given.tls is not None:
        words.append("with TLS")
    return f"{' '.join(words)}, {shown.count(len(given.rules), 'rule')}"


def pool_text(given: ProxyPool) -> str:
    """`least-load over 10.0.2.1:8080, 10.0.2.2:8080`."""
    return f"{given.balance} over {', '.join(map(shown.address, given.members.values()))}"


def _tls_text(given: ServiceTls) -> str:
    client = "" if given.client == "none" else f", client certificates {given.client}"
    return f"certificate {', '.join(given.certificates)}{client}"


def member_tls_text(given: MemberTls) -> str:
    """`verified by system`."""
    return f"verified by {given.ca}"
