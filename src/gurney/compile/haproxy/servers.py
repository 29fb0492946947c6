"""The one place for a server line: the member's address, identity, wanted state and options, and what `add server` is given for it.

Every option stands on every server line: what is added at run time ignores `default-server`, and `tcp-ut` has no effect there. Tried on
2.8.25: `add server` takes all of ours but `tcp-ut`, `init-addr` and `resolvers`. A server added at run time therefore has TCP keepalive
alone against a silent peer until the next reload, and a member given by host name cannot be added at all.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from gurney.compile.haproxy import settings, text
from gurney.compile.haproxy.bundle import CHECKS, PANIC, Server
from gurney.compile.haproxy.lists import Files
from gurney.compile.haproxy.names import Ids, Names, opaque
from gurney.compile.haproxy.tree import (
    Address,
    Cookie,
    File,
    Host,
    HostPort,
    Int,
    Leaf,
    Line,
    Made,
    Milliseconds,
    Tracked,
    Word,
    call,
    sample,
    words,
)
from gurney.config.proxied import MemberTls, ProxyMember, ProxyPool
from gurney.errors import LocalError

SYSTEM_CA = Word("/etc/ssl/certs/ca-certificates.crt")  # `@system-ca` fails in the wheel's HAProxy (peers.md §1)
OBSERVED_ERRORS = 10  # failed connections in a row that take a member out at once

Leaves = tuple[Leaf, ...]
_PROXY = {"none": (), "v1": words("send-proxy"), "v2": words("send-proxy-v2")}


@dataclass(frozen=True, slots=True)
class Written:
    """One server: the typed value, its line, its options, and the line without what changes at run time."""

    server: Server
    line: Line
    options: Leaves
    fixed: Leaves


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server stands: the backend's role (`bundle.ROLES`), whether it waits behind others, whose checks it follows."""

    role: str
    backup: bool = False
    track: Made | None = None


def server(named: Names, ids: Ids, files: Files, pool: ProxyPool, member: ProxyMember, place: Place) -> Written:
    """The server for `member` in one backend of `pool`."""
    name = named.made("s", member.path)
    at = address(member)
    weight = 0 if member.override == "drain" else member.weight
    disabled = member.override == "disable"
    identity: Leaves = (Word("id"), Int(ids.made(member.path), 1))
    if pool.persist.kind == "cookie" and place.role != CHECKS:
        identity = (*identity, Word("cookie"), Cookie(opaque(member.path)))
    state: Leaves = (Word("weight"), Int(weight, 0, 256))
    if pool.max_in_flight is not None and place.role != CHECKS:
        state = (*state, Word("maxconn"), Int(pool.max_in_flight, 1))
    options = _options(files, pool, member, place, name)
    here = _here(pool, at)
    return Written(
        server=Server(
            name=name.name,
            address=text.words((at,)),
            weight=weight,
            disabled=disabled,
            maxconn=(pool.max_in_flight or 0) if place.role != CHECKS else 0,
            arguments=text.words((*identity, *state, *options)) if isinstance(at, Address) and place.track is None else None,
            member=f"{pool.name}/{member.name}",
            path=member.path,
        ),
        line=Line((Word("server"), name, at, *identity, *state, *(words("disabled") if disabled else ()), *options, *here), member.path),
        options=(*options, *here),
        fixed=(Word("server"), name, at, *identity, *options, *here),
    )


def address(member: ProxyMember) -> Address | HostPort:
    """Where a member is: an IP address or a host name, with its port."""
    try:
        ipaddress.ip_address(member.host)
    except ValueError:
        return HostPort(Host(member.host), member.port)
    return Address(member.host, member.port)


def _options(files: Files, pool: ProxyPool, member: ProxyMember, place: Place, name: Made) -> Leaves:
    """What is the same on the line and in `add server`."""
    found: list[Leaf] = []
    if place.role != CHECKS:
        if place.backup:
            found += words("backup")
        if pool.max_in_flight is not None:
            found += (*words("maxqueue"), Int(pool.queue.most, 1))
        if pool.slow_start_ms and place.role != PANIC:
            found += (*words("slowstart"), Milliseconds(pool.slow_start_ms))
    found += _PROXY[member.proxy]
    checked = place.role != PANIC and place.track is None
    if member.tls is not None:
        found += _tls(files, pool, member, member.tls, checked)
    if place.track is not None and place.role != PANIC:
        found += (*words("track"), Tracked(place.track, name))
    elif checked:
        found += _check(member)
        if place.role != CHECKS:
            found += (*words("observe layer4 error-limit"), Int(OBSERVED_ERRORS), *words("on-error mark-down"))
    return tuple(found)


def _check(member: ProxyMember) -> Leaves:
    check = member.check
    times: Leaves = (
        *words("check inter"),
        Milliseconds(check.interval_ms),
        *words("rise"),
        Int(check.rise, 1),
        *words("fall"),
        Int(check.fall, 1),
    )
    return times if member.proxy == "none" else (*times, *words("check-send-proxy"))


def _tls(files: Files, pool: ProxyPool, member: ProxyMember, tls: MemberTls, checked: bool) -> Leaves:
    """Re-encryption: chain and name are always verified."""
    if tls.server_name is None and isinstance(address(member), Address):
        raise LocalError("HAProxy verifies host names only: a member given by address needs a server_name")
    name = Host(tls.server_name or member.host)
    authority: Word | File = SYSTEM_CA if tls.ca == "system" else files.material("ca", tls.ca)
    found: list[Leaf] = [
        *words("ssl verify required ca-file"),
        authority,
        *words("sni"),
        sample(call("str", name)),
        *words("verifyhost"),
        name,
    ]
    if tls.certificate is not None:
        found += (*words("crt"), files.material("certificate", tls.certificate))
    if pool.protocol == "http":
        found += words("alpn http/1.1")
    if checked:
        found += (*words("check-sni"), name)
        if pool.protocol == "http":
            found += words("check-alpn http/1.1")
    return tuple(found)


def _here(pool: ProxyPool, at: Address | HostPort) -> Leaves:
    """What a server line has and `add server` refuses."""
    there: Leaves = (*words("tcp-ut"), Milliseconds(settings.USER_TIMEOUT_MS[pool.protocol]))
    if isinstance(at, HostPort):
        there = (*there, *words("resolvers dns init-addr last,libc,none"))
    return there
