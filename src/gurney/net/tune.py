"""The one place for socket settings (reliability §3): what every leg of the route process gets, and how a dead peer shows."""

from __future__ import annotations

import socket
import struct

from gurney.config import limits

KEEPALIVE_IDLE = limits.KEEPALIVE_IDLE_MS // 1000  # seconds; 10/3/3 finds idle silence in about 16 s
KEEPALIVE_INTERVAL = limits.KEEPALIVE_INTERVAL_MS // 1000
KEEPALIVE_PROBES = limits.KEEPALIVE_PROBES
STALL_MS = limits.STALL_MS  # TCP_USER_TIMEOUT: longer than the watch below, so that a living peer with a shut window is not cut
SILENT_MS = limits.ACK_SILENCE_MS  # no acknowledgement for so long with bytes waiting: dead

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only; without it the option is left out and `doctor` says so
_INFO = struct.Struct("=BBBBBBBB13I")  # linux/tcp.h struct tcp_info up to tcpi_last_ack_recv
_PROBES, _UNACKED, _LAST_ACK_RECV = 3, 12, 20


def leg(sock: socket.socket) -> None:
    """Make `sock` one leg of the traffic path: non-blocking, no Nagle, keepalive, user timeout."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_MS)


def quickack(sock: socket.socket) -> None:
    """Acknowledge what was just received at once: a peer with Nagle on would wait 40 ms for it. The kernel forgets it: re-armed after
    every recv that leaves something unfinished. What has come whole is answered by bytes of ours, which acknowledge it too."""
    if _QUICKACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


def seems_dead(sock: socket.socket) -> bool:
    """True when bytes wait for `sock`'s peer and it has acknowledged nothing for 15 s (asked every 5 s while bytes wait)."""
    try:
        info = _INFO.unpack_from(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size))
    except (OSError, struct.error):
        return False
    silent: int = info[_LAST_ACK_RECV]
    return silent > SILENT_MS and (info[_UNACKED] > 0 or info[_PROBES] >= 2)


def idle_peer_gone(sock: socket.socket) -> bool:
    """True when an idle member link is of no use: the peer has closed it, or bytes lie there that nobody asked for.

    `send` to a closed peer succeeds locally, so this is looked at before each object.
    """
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def reset(sock: socket.socket) -> None:
    """Close `sock` by RST: the peer sees at once that what it has of a message is not whole."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    sock.close()
