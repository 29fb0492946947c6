"""The one place for what every check has: its deadline, and how a failed connection or silence becomes an outcome word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Pair = tuple[str, str]  # abstract syntax, transfer syntax

TIMED_OUT = ("connect-timeout", "ETIMEDOUT")
SLOW = 0.5  # the part of the timeout after which a right answer is slow


class Check:
    """One run of one check. Bytes in, bytes out; no I/O.

    `now` is when the connection is begun, `timeout` seconds bound all of it. The owner calls `connected`, then `received` as bytes come,
    `failed` when the connection cannot be made or is gone, `tick` at `deadline`; when `outcome` is set the check is over and the owner
    closes the connection. `detail` is for people: numbers and words of ours, never a peer's text. `accepted` tells of each pair
    asked for whether the member takes it; empty when there was no answer.
    """

    def __init__(self, *, calling_ae: str, called_ae: str, pairs: Sequence[Pair], timeout: float, now: float) -> None:
        self.calling_ae = calling_ae
        self.called_ae = called_ae
        self.pairs = tuple(dict.fromkeys(pairs))
        self.deadline: float = now + timeout
        self.outcome: str | None = None
        self.detail = ""
        self.accepted: Mapping[Pair, bool] = {}
        self._slow_from = now + timeout * SLOW
        self._connected = False

    def connected(self, now: float) -> bytes:
        """The connection stands: what to send first."""
        self._connected = True
        return b""

    def received(self, data: bytes, now: float) -> bytes:
        """Bytes came: what to answer. What comes after the outcome is ignored."""
        return b""

    def failed(self, why: str, now: float) -> None:
        """The connection could not be made or is gone. `why`: an errno name, `connect-timeout`, `closed`, or as
        `net.dial` says it of TLS: `tls-failed: REASON`, `tls-timeout`, `tls-closed`."""
        if why.startswith("tls-failed"):
            self._end("tls-failed", why.removeprefix("tls-failed").strip(": "))
        elif why == "tls-timeout":  # connected and silent: a receiver of one association at a time may be serving another one
            self._connected = True
            self._late(now)
        elif why == "tls-closed":
            self._end("aborted", "closed in the TLS handshake")
        elif not self._connected:
            self._end("connect-timeout" if why in TIMED_OUT else "refused", why)
        else:
            self._gone(why, now)

    def tick(self, now: float) -> None:
        """Time has passed. Before the deadline nothing happens."""
        if now >= self.deadline and self.outcome is None:
            if self._connected:
                self._late(now)
            else:
                self._end("connect-timeout")

    @property
    def awaiting_accept(self) -> bool:
        """True if the check is over and the member never said yes or no to an association: it may be serving another one."""
        return False

    def _gone(self, why: str, now: float) -> None:
        self._end("aborted", why)

    def _late(self, now: float) -> None:
        self._end("answer-timeout")

    def _well(self, now: float) -> None:
        self._end("slow" if now > self._slow_from else "ok")

    def _end(self, outcome: str, detail: str = "") -> None:
        if self.outcome is None:
            self.outcome, self.detail = outcome, detail
