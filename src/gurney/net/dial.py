"""The one place for connecting: a non-blocking dial, with its TLS handshake where there is one, that ends in exactly one callback."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import cast

from gurney.config import limits
from gurney.net import tune
from gurney.net.handshake import Handshake
from gurney.net.secured import Secured
from gurney.net.tls import Towards

CONNECT_SECONDS = limits.CONNECT_MS / 1000  # dicom.md §2
HANDSHAKE_SECONDS = limits.TLS_HANDSHAKE_MS / 1000
TLS_FAILED, TLS_TIMEOUT, TLS_CLOSED = "tls-failed", "tls-timeout", "tls-closed"

Done = Callable[[socket.socket | None, str], None]
"""(connected socket or None, why: "", an errno name, `connect-timeout`, `tls-timeout`, `tls-closed`, or `tls-failed: ` and a reason).

A connection with TLS comes as `net.secured.Secured`, which is used like a socket."""


def outcome(why: str) -> str:
    """The word of dicom.md §7 for a connection that could not be made. One that stood and was silent, or was closed, may be of a receiver
    that serves one association at a time: that is no fault of TLS."""
    if why.startswith(TLS_FAILED):
        return "tls-failed"
    return {"connect-timeout": "connect-timeout", "ETIMEDOUT": "connect-timeout", TLS_TIMEOUT: "answer-timeout", TLS_CLOSED: "aborted"}.get(
        why, "refused"
    )


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]]:
    """Socket addresses for `host`, which is an IP literal (no look-up) or a name (look up off the loop). Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [(socket.AddressFamily(family), address) for family, _, _, _, address in found]  # type: ignore[misc]


class Dial:
    """One attempt to connect to `host`:`port`; `done` is called once, later, never from the constructor."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        host: str,
        port: int,
        done: Done,
        within: float = CONNECT_SECONDS,
        tls: Towards | None = None,
        secured_within: float = HANDSHAKE_SECONDS,
    ) -> None:
        """`within` seconds to connect; with `tls`, `secured_within` more for the handshake."""
        self._loop = loop
        self._tls = tls
        self._secured_within = secured_within
        self._handshake: Handshake | None = None
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
        if self._done is None:
            sock.close()
        elif self._tls is not None:
            tls = self._tls
            self._handshake = Handshake(self._loop, sock, tls.context, self._secured, self._secured_within, tls.name)
        else:
            done, self._done = self._done, None
            done(sock, "")

    def _secured(self, secured: Secured | None, why: str) -> None:
        self._handshake = None
        tls = self._tls
        assert tls is not None
        if secured is not None:
            secured.told = tls.told
            done, self._done = self._done, None
            if done is not None:
                done(cast("socket.socket", secured), "")
            return
        word = {"timeout": TLS_TIMEOUT, "closed": TLS_CLOSED}.get(why)
        if word is None:
            tls.told(why)
        self._ended(word or f"{TLS_FAILED}: {why}")

    def _ended(self, why: str) -> None:
        self._drop()
        done, self._done = self._done, None
        if done is not None:
            done(None, why)

    def _drop(self) -> None:
        self._timer.cancel()
        if self._handshake is not None:
            self._handshake.cancel()
            self._handshake = None
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
