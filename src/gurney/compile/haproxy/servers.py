"""The one place for a server line: the member's address, identity, wanted state and options, and what `add server` is given for it.

Every option stands on every server line: what is added at run time ignores `default-server`, and `tcp-ut` has no effect there.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from gurney.compile.haproxy import settings, text
from gurney.compile.haproxy.bundle import Server
from gurney.compile.haproxy.names import Ids, Names
from gurney.compile.haproxy.tree import Address, Host, HostPort, Int, Leaf, Line, Milliseconds, Word, words
from gurney.config.proxied import ProxyMember, ProxyPool

UNLIMITED = 0  # maxconn of a server without a limit


@dataclass(frozen=True, slots=True)
class Made:
    """One server: the typed value, its line, and the options all members of a pool may share (those that are not its own)."""

    server: Server
    line: Line
    options: tuple[Leaf, ...]
    fixed: tuple[Leaf, ...]  # the line without what the runtime socket changes on a server that is there


def server(named: Names, ids: Ids, pool: ProxyPool, member: ProxyMember) -> Made:
    """The server for `member`."""
    name = named.made("s", member.path)
    weight = 0 if member.override == "drain" else member.weight
    disabled = member.override == "disable"
    maxconn = pool.max_in_flight or UNLIMITED
    own: tuple[Leaf, ...] = (Word("id"), Int(ids.made(member.path), 1))
    options = _options(pool, member)
    state: tuple[Leaf, ...] = (Word("weight"), Int(weight, 0, 256))
    if disabled:
        state = (*state, Word("disabled"))
    at = address(member)
    there: tuple[Leaf, ...] = (Word("tcp-ut"), Milliseconds(settings.TCP_UT_MS[pool.protocol]))
    added: tuple[Leaf, ...] = (*own, Word("weight"), Int(weight, 0, 256), *options, *words("on-marked-down shutdown-sessions"))
    return Made(
        Server(
            name=name.name,
            address=text.words((at,)),
            weight=weight,
            disabled=disabled,
            maxconn=maxconn,
            arguments=text.words(added) if isinstance(at, Address) else None,
            member=f"{pool.name}/{member.name}",
            path=member.path,
        ),
        Line((Word("server"), name, at, *own, *state, *options, *there), member.path),
        (*options, *there),
        (Word("server"), name, at, *own, *options, *there),
    )


def address(member: ProxyMember) -> Address | HostPort:
    """Where a member is: an IP address or a host name, with its port."""
    try:
        ipaddress.ip_address(member.host)
    except ValueError:
        return HostPort(Host(member.host), member.port)
    return Address(member.host, member.port)


def _options(pool: ProxyPool, member: ProxyMember) -> tuple[Leaf, ...]:
    check = member.check
    limits: tuple[Leaf, ...] = () if pool.max_in_flight is None else (Word("maxconn"), Int(pool.max_in_flight, 1))
    slow: tuple[Leaf, ...] = () if not pool.slow_start_ms else (Word("slowstart"), Milliseconds(pool.slow_start_ms))
    return (
        *limits,
        *slow,
        *words("check inter"),
        Milliseconds(check.interval_ms),
        *words("rise"),
        Int(check.rise, 1),
        *words("fall"),
        Int(check.fall, 1),
    )
