"""The one place for binding the addresses that route processes serve: one listening socket an address, never a SO_REUSEPORT set.

Closing one socket of such a set drops the connections queued on it (reliability.md §4.4). TCP_DEFER_ACCEPT stays off: a connection
that waits without a byte is a connection all the same.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable

from gurney.errors import GuardRefused
from gurney.guard import proc
from gurney.guard.intents import Listener

BACKLOG = 1024


def bind_all(listeners: Iterable[Listener]) -> dict[str, socket.socket]:
    """A listening, non-blocking socket for each, by name: all of them or, with GuardRefused naming the first that failed, none."""
    bound: dict[str, socket.socket] = {}
    try:
        for listener in listeners:
            bound[listener.name] = bind(listener)
    except GuardRefused:
        for sock in bound.values():
            sock.close()
        raise
    return bound


def bind(listener: Listener) -> socket.socket:
    """One listening, non-blocking socket. Raises GuardRefused with the address, the reason and, where that can be seen, who holds it."""
    try:
        if listener.host:
            version = ipaddress.ip_address(listener.host).version
            return _listen(socket.AF_INET6 if version == 6 else socket.AF_INET, listener.host, listener.port, only_v6=True)
        try:
            return _listen(socket.AF_INET6, "::", listener.port, only_v6=False)
        except OSError as problem:
            if problem.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENOPROTOOPT):
                raise
            return _listen(socket.AF_INET, "0.0.0.0", listener.port, only_v6=False)  # no IPv6 on this node
    except ValueError as problem:
        raise GuardRefused(f"cannot listen on {listener.name}: {listener.host!r} is no IP address") from problem
    except OSError as problem:
        raise GuardRefused(f"cannot listen on {listener.name}: {problem.strerror}", hint=_hint(problem, listener)) from problem


def is_of(sock: socket.socket, listener: Listener) -> bool:
    """Whether a socket that somebody handed us listens on the address of a listener."""
    try:
        name = sock.getsockname()
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return False
        host = ipaddress.ip_address(name[0])
        return name[1] == listener.port and (host == ipaddress.ip_address(listener.host) if listener.host else host.is_unspecified)
    except (OSError, ValueError):
        return False


def _listen(family: socket.AddressFamily, host: str, port: int, *, only_v6: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only_v6))
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _hint(problem: OSError, listener: Listener) -> str | None:
    if problem.errno == errno.EADDRINUSE:
        found = proc.holders(listener.port)
        return f"held by {', '.join(found)}" if found else "another program of this node holds it"
    if problem.errno == errno.EADDRNOTAVAIL:
        return "this node does not have the address"
    if problem.errno == errno.EACCES:
        return "ports below 1024 need CAP_NET_BIND_SERVICE, or a lower net.ipv4.ip_unprivileged_port_start"
    return None
