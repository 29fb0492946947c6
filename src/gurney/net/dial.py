"""The one place for connecting: a non-blocking dial that ends in exactly one callback."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from gurney.config import limits
from gurney.net import tune

CONNECT_SECONDS = limits.CONNECT_MS / 1000  # dicom.md §2

Done = Callable[[socket.socket | None, str], None]  # (connected socket or None, errno name or "connect-timeout" or "")


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]]:
    """Socket addresses for `host`, which is an IP literal (no look-up) or a name (look up off the loop). Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [(socket.AddressFamily(family), address) for family, _, _, _, address in found]  # type: ignore[misc]


class Dial:
    """One attempt to connect to `host`:`port`; `done` is called once, later, never from the constructor."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, port: int, done: Done, within: float = CONNECT_SECONDS) -> None:
        self._loop = loop
        self._done: Done | None = done
        self._sock: socket.socket | None = None
        self._timer = loop.call_later(within, self._ended, "connect-timeout")
        if _is_literal(host):
            loop.call_soon(self._connect, host, port)
        else:
            loop.run_in_executor(None, resolve, host, port).add_done_callback(self._resolved)

    def cancel(self) -> None:
        """Give up without a callback."""
        self._done = None
        self._drop()

    def _resolved(self, found: asyncio.Future[list[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]]]) -> None:
        if self._done is None or found.cancelled():
            return
        if found.exception() is not None:
            self._ended("unresolved")
            return
        address = found.result()[0][1]
        self._connect(str(address[0]), int(address[1]))

    def _connect(self, host: str, port: int) -> None:
        if self._done is None:
            return
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        except OSError as error:  # no descriptor left
            self._ended(errno.errorcode.get(error.errno or 0, "EMFILE"))
            return
        self._sock = sock
        try:
            tune.leg(sock)
            failed = sock.connect_ex((host, port))
        except OSError as error:
            failed = error.errno or errno.EIO
        if failed in (0, errno.EINPROGRESS):
            self._loop.add_writer(sock, self._writable)
        else:
            self._ended(errno.errorcode.get(failed, str(failed)))

    def _writable(self) -> None:
        assert self._sock is not None
        failed = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            self._ended(errno.errorcode.get(failed, str(failed)))
            return
        sock, self._sock = self._sock, None
        self._loop.remove_writer(sock)
        self._timer.cancel()
        done, self._done = self._done, None
        if done is None:
            sock.close()
        else:
            done(sock, "")

    def _ended(self, why: str) -> None:
        self._drop()
        done, self._done = self._done, None
        if done is not None:
            done(None, why)

    def _drop(self) -> None:
        self._timer.cancel()
        if self._sock is not None:
            self._loop.remove_writer(self._sock)
            self._sock.close()
            self._sock = None


def _is_literal(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
