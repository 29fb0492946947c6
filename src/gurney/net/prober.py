"""The one place for the input and output around a check core: dial, pass bytes on, stop at its deadline, tell its outcome."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Protocol

from gurney.net import tune
from gurney.net.dial import TLS_FAILED, Dial
from gurney.net.tls import Towards

_READ = 65_536


class CheckCore(Protocol):
    """What `health.checks` offers: bytes in, bytes out, a deadline, and in the end an outcome word."""

    @property
    def deadline(self) -> float | None:
        """When `tick` is due next, in seconds of the loop's clock."""

    @property
    def outcome(self) -> str | None:
        """The outcome word, None while the check runs."""

    def connected(self, now: float) -> bytes:
        """The connection stands: what to send first."""

    def received(self, data: bytes, now: float) -> bytes:
        """Bytes came: what to answer."""

    def failed(self, why: str, now: float) -> None:
        """The connection could not be made or is gone: an errno name, `connect-timeout` or `closed`."""

    def tick(self, now: float) -> None:
        """The deadline has passed."""


class Probe:
    """One run of one check; `done` is called once when the core has an outcome. Its socket is a slot of its own."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        host: str,
        port: int,
        core: CheckCore,
        within: float,
        done: Callable[[], None],
        tls: Towards | None = None,
    ) -> None:
        self._loop = loop
        self._core = core
        self._done: Callable[[], None] | None = done
        self._sock: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._dial: Dial | None = Dial(loop, host, port, self._dialled, within, tls, within)

    def cancel(self) -> None:
        """Stop without an outcome."""
        self._done = None
        self._finish()

    def _dialled(self, sock: socket.socket | None, why: str) -> None:
        self._dial = None
        now = self._loop.time()
        if sock is None:
            self._core.failed(why, now)
            self._finish()
            return
        self._sock = sock
        self._loop.add_reader(sock, self._readable)
        self._send(self._core.connected(now))

    def _readable(self) -> None:
        if self._sock is None:
            return
        now = self._loop.time()
        try:
            data = self._sock.recv(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._core.failed(_refused(error) or errno.errorcode.get(error.errno or 0, "closed"), now)
            self._finish()
            return
        tune.quickack(self._sock)
        if not data:
            self._core.failed("closed", now)
            self._finish()
            return
        self._send(self._core.received(data, now))

    def _send(self, data: bytes) -> None:
        # A check's messages are a few hundred bytes: what a fresh socket does not take whole is a failure of the peer.
        if data and self._sock is not None:
            try:
                why = "" if self._sock.send(data) == len(data) else "closed"
            except OSError as error:
                why = _refused(error) or "closed"
            if why:
                self._core.failed(why, self._loop.time())
        if self._core.outcome is not None:
            self._finish()
        else:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._core.deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._late)

    def _late(self) -> None:
        self._core.tick(self._loop.time())
        if self._core.outcome is not None:
            self._finish()
        else:
            self._arm()

    def _finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._dial is not None:
            self._dial.cancel()
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._sock.close()
            self._sock = None
        done, self._done = self._done, None
        if done is not None:
            done()


def _refused(error: OSError) -> str:
    """What the core hears of a fault of TLS (net/secured): a member may refuse after our side of the handshake; "" for any other."""
    return f"{TLS_FAILED}: {error.strerror}" if error.errno == errno.EPROTO else ""
