"""The one place for whether an address can be listened on, and who stands in the way, before HAProxy is asked.

HAProxy would not say: it shares a port silently with whoever set SO_REUSEPORT, and connections then go to either (tried on 2.8).
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from gurney.errors import EngineRefused

_PROC = Path("/proc")
_LISTENING = "0A"  # TCP_LISTEN
_PAUSE = 0.01

Address = tuple[str, int]  # host ("" for every address), port


def refuse_taken(addresses: Iterable[Address], ours: Set[int] = frozenset()) -> None:
    """Nothing when all of them can be listened on, or only processes of `ours` (pids) do. Raises `EngineRefused` in a person's words."""
    for host, port in addresses:
        problem = _try(host, port)
        if problem is None:
            continue
        if problem != errno.EADDRINUSE:
            raise _refusal(host, port, problem)
        holders = dict(_holders(host, port))
        foreign = [f"{name} (pid {pid})" for pid, name in sorted(holders.items()) if pid not in ours]
        if foreign or not holders:
            raise EngineRefused(
                f"port {port} is taken by {' and '.join(foreign) or 'another program'}",
                hint=f"stop it, or listen elsewhere than on {_spelt(host, port)}",
            )


def wait_free(addresses: Iterable[Address], within: float, ours: Set[int] = frozenset()) -> None:
    """Until none of `ours` (pids) listens on any of them; without `ours`, until nobody does. Raises `EngineRefused` when one still does.

    Whoever else took one over meanwhile is welcome to it. Who it is cannot be seen of a process that may more than we: then nobody is to.
    """
    deadline = time.monotonic() + within
    for host, port in addresses:
        while _try(host, port) == errno.EADDRINUSE:
            holders = dict(_holders(host, port))
            if ours and holders and not holders.keys() & ours:
                break
            if time.monotonic() >= deadline:
                held = " and ".join(f"{name} (pid {pid})" for pid, name in sorted(holders.items())) or "another program"
                raise EngineRefused(f"port {port} is not let go: {held} still listens on {_spelt(host, port)}")
            time.sleep(_PAUSE)


def _refusal(host: str, port: int, problem: int) -> EngineRefused:
    if problem == errno.EADDRNOTAVAIL:
        return EngineRefused(f"this node does not have the address {host}", hint=f"it is to listen on {_spelt(host, port)}")
    return EngineRefused(f"cannot listen on {_spelt(host, port)}: {os.strerror(problem)}")


def _spelt(host: str, port: int) -> str:
    return f"{'*' if not host else f'[{host}]' if ':' in host else host}:{port}"


def _try(host: str, port: int) -> int | None:
    """The errno of binding there and letting go at once; None when it could be done. Nothing can connect meanwhile: it never listens."""
    six = not host or ":" in host
    try:
        with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if six:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(host)))
            sock.bind((host or "::", port))
    except OSError as problem:
        if not host and problem.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return _try("0.0.0.0", port)  # no IPv6 on this node
        if problem.errno == errno.EACCES:  # not for us to bind, below 1024; HAProxy may have the capability, from the guard
            taken = any(_overlap(host, address) for address, _ in _listening(port))
            return errno.EADDRINUSE if taken else None
        return problem.errno
    return None


def _holders(host: str, port: int) -> Iterator[tuple[int, str]]:
    """(pid, name) of whoever listens on an overlapping address, as far as we may see."""
    inodes = {f"socket:[{inode}]" for address, inode in _listening(port) if _overlap(host, address)}
    for entry in os.scandir(_PROC) if inodes else ():
        if not (entry.name.isascii() and entry.name.isdigit()):
            continue
        with contextlib.suppress(OSError):
            if any(os.readlink(one.path) in inodes for one in os.scandir(f"{entry.path}/fd")):
                yield int(entry.name), Path(entry.path, "comm").read_text().strip()


def _overlap(host: str, held: str) -> bool:
    mine = ipaddress.ip_address(host or "::")
    other = ipaddress.ip_address(held)
    if isinstance(other, ipaddress.IPv6Address) and other.ipv4_mapped is not None:
        other = other.ipv4_mapped
    return mine == other or mine.is_unspecified or other.is_unspecified


def _listening(port: int) -> Iterator[tuple[str, str]]:
    """(address, inode) of every listening TCP socket of a port: /proc/net/tcp and tcp6 (proc_pid_net(5))."""
    for table in ("tcp", "tcp6"):
        try:
            rows = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            address, _, number = fields[1].rpartition(":")
            if fields[3] == _LISTENING and int(number, 16) == port:
                yield _address(address), fields[9]


def _address(text: str) -> str:
    """`0100007F` is 127.0.0.1: 32-bit words in the machine's byte order."""
    data = b"".join(struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8))
    return str(ipaddress.ip_address(data))
