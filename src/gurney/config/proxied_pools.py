"""The one place for reading pools and members of `protocol: http` and `tcp`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from gurney.config import addresses, http_text, limits, member_lists, rules, text, words
from gurney.config.balances import balance
from gurney.config.faults import Unfit, printable, shown
from gurney.config.fields import Desk, Fields
from gurney.config.proxied import MemberTls, Persist, ProxyCheck, ProxyMember, ProxyPool, Queue
from gurney.config.proxied_checks import CHECKS, check
from gurney.config.proxied_services import moment
from gurney.config.service_tls import member_tls
from gurney.config.tree import Entries, Items, Node, Scalar

QUEUE = Queue(most=limits.QUEUE_MOST, wait_ms=limits.QUEUE_WAIT_MS)
PERSIST = Persist(kind=words.HTTP_PERSISTS[0], for_ms=limits.PERSIST_FOR_MS, then=words.PERSIST_THENS[0])


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a pool gives its members."""

    protocol: str
    weight: int
    site: str | None
    check: ProxyCheck
    tls: MemberTls | None


def pool(desk: Desk, name: str, key: Scalar, node: Node, path: str, protocol: str, pools: Collection[str]) -> ProxyPool:
    """A pool from its mapping or its short form, a list of members; `pools` are the names its `fallback` may say."""
    plain = _Defaults(protocol, limits.WEIGHT, None, CHECKS[protocol], None)
    if isinstance(node, Items):
        return _plain(name, path, protocol, _members(desk, node, f"{path}.members", path, plain))
    if isinstance(node, Scalar) and node.sound:
        desk.wrong(node, path, "GRN-S011", "a pool is a list of members or a mapping", f"[{printable(node.text)}]")
        return _plain(name, path, protocol, {})
    fields = desk.open(node, path, f"pool.{protocol}", key.at)
    if fields is None:
        return _plain(name, path, protocol, {})
    fields.judge()
    defaults = _Defaults(
        protocol=protocol,
        weight=member_lists.weight(fields, limits.WEIGHT),
        site=member_lists.site(fields, None),
        check=check(fields, protocol, CHECKS[protocol]),
        tls=member_tls(fields, None),
    )
    members_node = fields.get("members")
    members = _members(desk, members_node, fields.under("members"), path, defaults) if members_node is not None else {}
    base = _plain(name, path, protocol, members)
    fallback, page = _fallback(fields, protocol, pools)
    return replace(
        base,
        balance=balance(fields, words.HTTP_BALANCES_LATER if protocol == "http" else words.TCP_BALANCES_LATER),
        persist=_persist(fields, protocol),
        max_in_flight=fields.optional("max_in_flight", _in_flight, base.max_in_flight),
        queue=_queue(fields),
        slow_start_ms=fields.value("slow_start", _slow_start, base.slow_start_ms),
        panic=fields.value("panic", http_text.percent, base.panic),
        fallback=fallback,
        fallback_page=page,
        site=defaults.site,
    )


def _plain(name: str, path: str, protocol: str, members: dict[str, ProxyMember]) -> ProxyPool:
    """A pool with every default."""
    return ProxyPool(
        name=name,
        path=path,
        protocol=protocol,
        balance=words.BALANCES_OF[protocol][0],
        persist=PERSIST,
        max_in_flight=limits.MAX_IN_FLIGHT if protocol == "http" else None,
        queue=QUEUE,
        slow_start_ms=limits.SLOW_START_MS,
        panic=limits.PANIC,
        fallback=None,
        fallback_page=None,
        site=None,
        members=members,
    )


def _persist(fields: Fields, protocol: str) -> Persist:
    """`persist`: a word, or a mapping {by, for, then}."""
    node, path = fields.get("persist"), fields.under("persist")
    if node is None:
        return PERSIST
    if not isinstance(node, Entries):
        return Persist(kind=_persist_kind(fields.desk, node, path, protocol), for_ms=PERSIST.for_ms, then=PERSIST.then)
    inner = fields.desk.open(node, path, f"persist.{protocol}", fields.key_at("persist"))
    if inner is None:
        return PERSIST
    inner.judge()
    by, kind = inner.get("by"), PERSIST.kind
    if by is not None:
        kind = _persist_kind(fields.desk, by, inner.under("by"), protocol)
    then = inner.word("then", words.PERSIST_THENS, (), "second method", PERSIST.then) if protocol == "http" else PERSIST.then
    if then != "none" and kind != "cookie" and not fields.desk.faults.is_broken(inner.under("by")):
        hint = "`then` is for clients without a cookie: by: cookie"
        fields.desk.faults.add(inner.key_at("then"), "GRN-S013", f"nothing follows '{kind}'", hint, path=inner.under("then"))
    return Persist(kind=kind, for_ms=inner.value("for", _long, PERSIST.for_ms), then=then)


def _persist_kind(desk: Desk, node: Node, path: str, protocol: str) -> str:
    known = words.HTTP_PERSISTS if protocol == "http" else words.TCP_PERSISTS
    if isinstance(node, Scalar) and node.sound and node.text.partition(":")[0] in words.HTTP_PERSISTS_LATER and ":" in node.text:
        return desk.word(node, path, known, (node.text,), "word for persist", "persist") or known[0]
    if isinstance(node, Scalar) and node.sound and node.text == "cookie" and protocol == "tcp":
        desk.wrong(node, path, "GRN-S013", "persist 'cookie' belongs to http pools, this one is tcp", f"one of {', '.join(known)}")
        return known[0]
    return desk.word(node, path, known, (), "word for persist", "persist") or known[0]


def _queue(fields: Fields) -> Queue:
    node = fields.get("queue")
    inner = fields.desk.open(node, fields.under("queue"), "queue", fields.key_at("queue")) if node is not None else None
    if inner is None:
        return QUEUE
    inner.judge()
    return Queue(
        most=inner.value("most", lambda given: text.integer(given, 1, limits.QUEUE_MOST_HIGHEST), QUEUE.most),
        wait_ms=inner.value("wait", moment, QUEUE.wait_ms),
    )


def _fallback(fields: Fields, protocol: str, pools: Collection[str]) -> tuple[str | None, str | None]:
    """The pool and the page of `fallback`: one of the two, or neither."""
    node, path, desk = fields.get("fallback"), fields.under("fallback"), fields.desk
    if node is None:
        return None, None
    if not isinstance(node, Entries):
        return desk.value(node, path, lambda given: rules.pool_name(desk, given, pools)), None
    if protocol != "http":
        desk.wrong(node, path, "GRN-S013", f"a page belongs to http pools, this one is {protocol}", "fallback: POOL")
        return None, None
    inner = desk.open(node, path, "fallback.http", fields.key_at("fallback"))
    if inner is None:
        return None, None
    inner.judge()
    return None, inner.value("page", http_text.file_name, None)


def _in_flight(given: str) -> int | None:
    if given == "none":
        return None
    if given.startswith("adaptive"):
        raise Unfit("GRN-V001", "'max_in_flight: adaptive' is not in this version", "a number, or none")
    try:
        return text.integer(given, 1, limits.MAX_IN_FLIGHT_HIGHEST)
    except Unfit as unfit:
        raise Unfit(unfit.code, unfit.message, f"{unfit.hint}; or none") from None


def _slow_start(given: str) -> int:
    return text.duration_ms(given, 0, limits.SLOW_START_LONGEST_MS)


def _long(given: str) -> int:
    return text.duration_ms(given, limits.LONG_SHORTEST_MS, limits.PERSIST_LONGEST_MS)


def _members(desk: Desk, node: Node, path: str, pool_path: str, defaults: _Defaults) -> dict[str, ProxyMember]:
    def read(name: str | None, item: Node, under: str, at: tuple[int, int]) -> ProxyMember | None:
        return _member(desk, name, item, under, at, defaults)

    return member_lists.members(desk, node, path, pool_path, "ADDRESS:PORT", read)


def _member(desk: Desk, name: str | None, node: Node, path: str, at: tuple[int, int], defaults: _Defaults) -> ProxyMember | None:
    """One member from its short form HOST:PORT or its long form; without a name it is named by its address."""
    if isinstance(node, Scalar):
        target = desk.value(node, path, _whole_target)
        if target is None or target.port is None:
            return None
        own = name or addresses.spell_target(target.host, target.port)
        proxy = words.PROXIES[0]
        return ProxyMember(own, path, target.host, target.port, defaults.weight, defaults.site, defaults.check, defaults.tls, proxy)
    fields = desk.open(node, path, f"member.{defaults.protocol}", at)
    if fields is None:
        return None
    fields.judge()
    target = fields.value("address", _target, addresses.Target(None, "", None))
    port = member_lists.once(fields, "port", target.port, fields.value("port", addresses.port, None))
    if port is None and target.host and not fields.has("port"):
        desk.wrong(fields.get("address") or node, path, "GRN-S017", f"{shown(target.host)} has no port", "HOST:PORT, or a key `port`")
    if name is None and not target.host:
        return None  # nothing to name it by; its address has been said to be wrong
    return ProxyMember(
        name=name or addresses.spell_target(target.host, port or 0),
        path=path,
        host=target.host,
        port=port or 0,
        weight=member_lists.weight(fields, defaults.weight),
        site=member_lists.site(fields, defaults.site),
        check=check(fields, defaults.protocol, defaults.check),
        tls=member_tls(fields, defaults.tls),
        proxy=fields.word("proxy", words.PROXIES, (), "PROXY protocol", words.PROXIES[0]),
    )


def _target(given: str) -> addresses.Target:
    if "@" in given:
        raise Unfit("GRN-S017", f"{shown(given)} has a name", f"members of http and tcp have none: {printable(given.rpartition('@')[2])}")
    if "://" in given or "/" in given:
        raise Unfit("GRN-S017", f"{shown(given)} is no address", "HOST:PORT alone; TLS towards it is the key `tls`")
    return addresses.target(given)


def _whole_target(given: str) -> addresses.Target:
    target = _target(given)
    if target.port is None:
        raise Unfit("GRN-S017", f"{shown(given)} has no port", f"{printable(given)}:8080, or the port your server listens on")
    return target
