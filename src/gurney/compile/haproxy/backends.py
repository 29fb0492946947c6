"""The one place for a pool's backends: the one that serves, its twin for panic, and those that only check where members differ in that."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gurney.compile.haproxy import servers
from gurney.compile.haproxy.bundle import CHECKS as CHECKING
from gurney.compile.haproxy.bundle import PANIC, SERVE, Backend
from gurney.compile.haproxy.lists import MEMBER_HOSTS, Files
from gurney.compile.haproxy.names import Ids, Names
from gurney.compile.haproxy.servers import Leaves, Place, Written
from gurney.compile.haproxy.settings import said
from gurney.compile.haproxy.tree import (
    Address,
    Format,
    Header,
    Host,
    HostPort,
    Int,
    Ip,
    Line,
    Listed,
    Made,
    Milliseconds,
    Quoted,
    Section,
    Term,
    UrlPath,
    Word,
    call,
    sample,
    words,
)  # fmt: skip
from gurney.config import limits
from gurney.config.proxied import ProxyCheck, ProxyMember, ProxyPool

# word of the document → HAProxy's; header:NAME beside them. Failover is a balance among one: every member but the first is a backup.
BALANCES: Mapping[str, str] = {
    "least-load": "leastconn", "round-robin": "roundrobin", "random": "random(2)", "failover": "roundrobin", "source": "hash", "uri": "uri",
}  # fmt: skip
CHECKS = ("http", "tcp")
PERSISTS = ("none", "cookie", "source")
TABLE_ENTRIES = 100_000
_HASHED = ("source", "uri")


@dataclass(frozen=True, slots=True)
class Use:
    """What the services say of a pool they use: whether all of them have TLS, how long a silent tcp session lives."""

    secure: bool
    idle_ms: int


@dataclass(frozen=True, slots=True)
class Writing:
    """What the backends of one bundle share while they are written."""

    named: Names
    files: Files
    uses: Mapping[str, Use]


def pool(writing: Writing, made: ProxyPool) -> list[tuple[Section, Backend]]:
    """Every backend of `made`."""
    groups: dict[tuple[object, ...], list[ProxyMember]] = {}
    for member in made.members.values():
        groups.setdefault(_asked(member.check), []).append(member)
    first, *others = groups.values()
    tracked: dict[str, Made] = {}
    found = []
    for at, group in enumerate(others):
        name = writing.named.made("be", made.path, f"_checks{at}")
        tracked |= {member.name: name for member in group}
        found.append(_backend(writing, made, name, CHECKING, group, tracked={}))
    members = list(made.members.values())
    found.insert(0, _backend(writing, made, writing.named.made("be", made.path), SERVE, members, tracked, first[0].check))
    if made.panic:
        found.insert(1, _backend(writing, made, writing.named.made("be", made.path, "_panic"), PANIC, members, tracked={}))
    return found


def by_name(member: ProxyMember) -> bool:
    """Whether a member is given by host name, which is looked up while HAProxy runs."""
    return isinstance(servers.address(member), HostPort)


def check_hosts(pools: Iterable[ProxyPool], named: Names) -> list[tuple[Made, Address | HostPort]]:
    """By server, what a check names as Host where the document says nothing: the member's address."""
    members = [member for made in pools for member in made.members.values()]
    asked = [member for member in members if member.check.kind == "http" and member.check.host is None]
    return [(named.made("s", member.path), servers.address(member)) for member in asked]


def _asked(check: ProxyCheck) -> tuple[object, ...]:
    """What HAProxy has per backend, not per server."""
    return (check.kind, check.timeout_ms, *((check.path, check.host, check.expect) if check.kind == "http" else ()))


def _backend(
    writing: Writing,
    made: ProxyPool,
    name: Made,
    role: str,
    members: list[ProxyMember],
    tracked: Mapping[str, Made],
    check: ProxyCheck | None = None,
) -> tuple[Section, Backend]:
    ids = Ids()
    failover = made.balance == "failover" and role == SERVE
    found = [
        servers.server(writing.named, ids, writing.files, made, member, Place(role, failover and at > 0, tracked.get(member.name)))
        for at, member in enumerate(members)
    ]
    uniform = len({written.options for written in found}) == 1 and all(written.server.arguments is not None for written in found)
    resizable = uniform and not failover and role != CHECKING
    lines = [_balance(made, role)]
    if role != CHECKING:
        lines += [*_persist(writing, made, name, role), *_waiting(made, name, writing.uses[made.name])]
    if role != PANIC:
        lines += _check(writing, made, check or members[0].check)
    if role == SERVE and made.fallback_page is not None:
        page = writing.files.material("page", made.fallback_page)
        body: Leaves = (*words("content-type"), Quoted("text/html; charset=utf-8"), *words("file"), page)
        lines.append(said("http-error status 503", *body, path=f"{made.path}.fallback"))
    lines += [_masked(written, at, resizable) for at, written in enumerate(found)]
    head = Line((Word("backend"), name, *words(f"from {made.protocol}")), made.path)
    made_backend = Backend(name.name, made.name, resizable, tuple(written.server for written in found), role)
    return Section(head, tuple(line for line in lines)), made_backend


def _masked(written: Written, at: int, resizable: bool) -> Line:
    """A server line as the shape sees it: in a resizable backend the options all servers share, once; else all but the wanted state."""
    if not resizable:
        return Line(written.line.leaves, written.line.path, written.fixed)
    return Line(written.line.leaves, written.line.path, written.options if at == 0 else ())


def _balance(made: ProxyPool, role: str) -> Line:
    path = f"{made.path}.balance"
    if role == CHECKING:
        return said("balance roundrobin", path=path)
    if made.balance.startswith("header:"):
        return said("balance", sample(call("hdr", Header(made.balance.removeprefix("header:")))), path=path)
    if made.balance == "source":  # the whole of an IPv4 address, a /64 of IPv6
        return said("balance hash", sample(call("src"), call("ipmask", Int(32), Int(64))), path=path)
    return said("balance", *words(BALANCES[made.balance]), path=path)


def _persist(writing: Writing, made: ProxyPool, name: Made, role: str) -> list[Line]:
    """Consistent hashing, the cookie, the table of sources; the twin for panic shares the cookie and the table."""
    path, persist, found = f"{made.path}.persist", made.persist, []
    if made.balance in _HASHED or made.balance.startswith("header:"):
        found.append(said("hash-type consistent", path=f"{made.path}.balance"))
    if persist.kind == "cookie":
        longest = Milliseconds(max(persist.for_ms, limits.HTTP_DRAIN_WITHIN_MS))
        ends: Leaves = (*words("maxidle"), Milliseconds(persist.for_ms), *words("maxlife"), longest)
        secure: Leaves = (Word("secure"),) if writing.uses[made.name].secure else ()
        cookie = writing.named.made("gs", made.path)
        found.append(said("cookie", cookie, *words("insert indirect nocache httponly"), *secure, *ends, path=path))
    if "source" in (persist.kind, persist.then):
        of: Leaves = (*words("type ipv6 size"), Int(TABLE_ENTRIES), *words("expire"), Milliseconds(persist.for_ms), *words("peers local"))
        source = sample(call("src"), call("ipmask", Int(32), Int(64)))
        if role == SERVE:
            found += [said("stick-table", *of, path=path), said("stick on", source, path=path)]
        else:
            found.append(said("stick on", source, *words("table"), writing.named.made("be", made.path), path=path))
    return found


def _waiting(made: ProxyPool, name: Made, use: Use) -> list[Line]:
    """Time-outs and the queue: what comes when it is full is refused at once, in a way that may be tried again."""
    path = f"{made.path}.queue"
    found = [said("timeout queue", Milliseconds(made.queue.wait_ms), path=path)]
    if made.protocol == "tcp":
        found += [said("timeout server", Milliseconds(use.idle_ms)), said("timeout tunnel", Milliseconds(use.idle_ms))]
    if made.max_in_flight is None:
        return found
    full = Term(sample(call("queue", name)), operator=Word("ge"), values=(Int(made.queue.most),))
    if made.protocol == "tcp":
        return [*found, said("tcp-request content reject if", full, path=path)]
    again: Leaves = (*words("hdr"), Header("Retry-After"), Format((sample(call("rand", Int(5)), call("add", Int(1))),)))
    refused: Leaves = (*words("content-type text/plain"), *again, *words("string"), Quoted("Too many requests wait here. Try again."))
    return [*found, said("http-request return status 503", *refused, Word("if"), full, path=path)]


def _check(writing: Writing, made: ProxyPool, check: ProxyCheck) -> list[Line]:
    path = f"{made.path}.check"
    found = [said("timeout check", Milliseconds(check.timeout_ms), path=path)]
    if check.kind == "http":
        asked: Leaves = (UrlPath(check.path), *words("ver HTTP/1.1 hdr"), Header("Host"), _host(check))
        found += [
            said("option httpchk", path=path),
            said("http-check send meth GET uri", *asked, path=path),
            said("http-check expect status", _statuses(check.expect), path=path),
        ]
    return found


def _host(check: ProxyCheck) -> Format:
    if check.host is None:
        return Format((sample(call("srv_name"), call("map_str", MEMBER_HOSTS, Host("localhost"))),))
    try:
        ipaddress.ip_address(check.host)
    except ValueError:
        return Format((Host(check.host),))
    return Format((Ip(check.host),))


def _statuses(ranges: tuple[tuple[int, int], ...]) -> Listed:
    """`200-399,401`."""
    return Listed(tuple(_range(low, high) for low, high in ranges))


def _range(low: int, high: int) -> Int | Listed:
    return Int(low, 100, 599) if low == high else Listed((Int(low, 100, 599), Int(high, 100, 599)), "-")
