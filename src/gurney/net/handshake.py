"""The one place for a TLS handshake in the loop: driven as the socket allows, over by its deadline, told once."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable

from gurney.net import tls
from gurney.net.secured import Secured

_HANDSHAKE = b"\x16"  # the content type a client's first record has (RFC 8446 §5.1)

Done = Callable[[Secured | None, str], None]  # (the connection or None, "" or a word of `tls.REASONS`)


class Handshake:
    """One handshake on a connected, non-blocking socket, which it owns; `done` is called once, later, never from the constructor.

    `server_name` makes it the dialling side. What is no TLS at all, or closes without a byte, ends before the library sees it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        context: ssl.SSLContext,
        done: Done,
        within: float,
        server_name: str | None = None,
    ) -> None:
        self._loop = loop
        self._done: Done | None = done
        self._context = context
        self._name = server_name
        self._plain: socket.socket | None = sock  # until its first byte has come
        self._secured: Secured | None = None
        self._watched: socket.socket | Secured | None = None
        self._writing = False
        self._timer = loop.call_later(within, self._ended, "timeout")
        if server_name is None:
            loop.add_reader(sock, self._first)
            self._watched = sock
        else:
            loop.call_soon(self._begin)

    def cancel(self) -> None:
        """Close without a callback."""
        self._done = None
        self._drop()

    def _first(self) -> None:
        assert self._plain is not None
        try:
            first = self._plain.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._ended("closed")
            return
        if first != _HANDSHAKE:
            self._ended("not-tls" if first else "probe")
            return
        self._unwatch()
        self._begin()

    def _begin(self) -> None:
        sock, self._plain = self._plain, None
        if sock is None or self._done is None:
            return
        try:
            self._secured = Secured(sock, self._context, self._name)
        except OSError:
            self._ended("closed")
        except ValueError:  # a name that can be no SNI
            self._ended("broken")
        else:
            self._step()

    def _step(self) -> None:
        secured = self._secured
        if secured is None:
            return
        try:
            secured.handshake()
        except ssl.SSLWantReadError:
            self._watch(secured, writing=False)
            return
        except ssl.SSLWantWriteError:
            self._watch(secured, writing=True)
            return
        except (OSError, ValueError) as error:
            self._ended(tls.reason(error))
            return
        if secured.lapsed(time.time()):
            self._ended("expired")
            return
        self._unwatch()
        self._timer.cancel()
        self._secured = None
        done, self._done = self._done, None
        if done is not None:
            done(secured, "")

    def _watch(self, secured: Secured, writing: bool) -> None:
        if self._watched is not None and self._writing == writing:
            return
        self._unwatch()
        self._watched, self._writing = secured, writing
        if writing:
            self._loop.add_writer(secured, self._step)
        else:
            self._loop.add_reader(secured, self._step)

    def _unwatch(self) -> None:
        watched, self._watched = self._watched, None
        if watched is None:
            return
        if self._writing:
            self._loop.remove_writer(watched)
        else:
            self._loop.remove_reader(watched)

    def _ended(self, why: str) -> None:
        self._drop()
        done, self._done = self._done, None
        if done is not None:
            done(None, why)

    def _drop(self) -> None:
        self._timer.cancel()
        self._unwatch()
        for sock in (self._plain, self._secured):
            if sock is not None:
                sock.close()
        self._plain = self._secured = None
