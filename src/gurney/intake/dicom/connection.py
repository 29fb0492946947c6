"""The one place for the bytes of a sender's connection: read into memory that is leased, paused and resumed, answered, watched, closed.

What the bytes mean is the session's (`intake.dicom.session`), which is one of these.
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from gurney.deliver.transfer import Transfer
from gurney.intake.dicom.memory import Memory
from gurney.net import tune
from gurney.net.hangups import Hangups
from gurney.net.outbox import Outbox
from gurney.net.slabs import SLAB, Slab, Slabs
from gurney.wire.dicom.upper import Upper

_WATCH_SECONDS = 5.0
_TURN = 131_072  # bytes read at once of an object larger than a slab while smaller ones share the loop: none waits for another's megabytes
_SHARED_SECONDS = 0.1  # since the last smaller object was answered


class Connection(ABC):
    """One accepted connection. `transfer` is the object in hand, whose bytes are coming or whose answer is awaited."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, core: Upper, slabs: Slabs, hangups: Hangups) -> None:
        self._loop = loop
        self._sock: socket.socket | None = sock
        self._core = core
        self._slabs = slabs
        self._hangups = hangups
        self._outbox = Outbox(sock)
        self._memory = Memory(slabs)
        self._more: Callable[[], bool] | None = getattr(sock, "pending", None)  # bytes a TLS connection holds that the loop cannot see
        self._writing = self._consuming = False
        self._watch_at = 0.0
        self.paused = False
        self.transfer: Transfer | None = None
        loop.add_reader(sock, self._readable)
        hangups.add(sock, self._hung_up)

    @abstractmethod
    def _act(self, slab: Slab | None = None) -> bool:
        """Do what the core tells, True if it told anything; data lies in `slab`."""

    @abstractmethod
    def _ahead(self) -> bool:
        """Whether the sender is so far ahead that it is not read now."""

    @abstractmethod
    def _defect(self, error: Exception) -> None:
        """A defect of ours was met: shown. The connection ends."""

    @abstractmethod
    def _starved(self) -> None:
        """There is no memory to read into."""

    @abstractmethod
    def _watched(self) -> None:
        """A look at what has come since the last one, every 5 s."""

    @abstractmethod
    def _gone(self, why: str) -> None:
        """The connection is at its end: `_close` it and tell those who care."""

    # -- reading

    def _readable(self) -> None:
        try:
            self._read()
            while self._more is not None and self._sock is not None and not self.paused and self._more():
                self._read()
        except Exception as error:  # as in `_guarded`, without its call
            self._broke(error)

    def _guarded(self, work: Callable[..., None], *given: Any) -> None:
        try:
            work(*given)
        except Exception as error:
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        """One connection ends, the process and every other one go on."""
        self._defect(error)
        self._gone("a defect in Gurney")

    def _read(self) -> None:
        sock, transfer = self._sock, self.transfer
        if sock is None:
            return
        slab = self._memory.room(transfer.link if transfer is not None else None, transfer is None)
        if slab is None:
            self._pause()
            self._slabs.when_free(self._resume)
            self._starved()
            return
        fill = slab.fill
        end = slab.size
        if transfer is not None and transfer.size > SLAB and self._loop.time() - self._slabs.shared_at < _SHARED_SECONDS:
            end = min(end, fill + _TURN)
        try:
            count = sock.recv_into(slab.view[fill:end])
        except BlockingIOError:
            return
        except OSError as error:
            self._gone(f"errno {error.errno}")
            return
        if count == 0:
            self._core.closed(self._loop.time())
            self._act()
            return
        slab.fill = fill + count
        self._consume()
        if self._sock is not None and self._core.unfinished:
            tune.quickack(sock)

    def _hung_up(self) -> None:
        """The connection is broken with bytes unread: they are read, unless we had stopped reading; then nobody waits for an answer."""
        if not self.paused:
            self._readable()
        elif self._sock is not None and (failed := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            self._gone(f"errno {failed}")

    def _consume(self) -> None:
        """Walk what has come, event by event, until nothing moves."""
        if self._consuming:
            return  # an answer given while walking: the walk under way goes on with what follows
        self._consuming = True
        memory, core = self._memory, self._core
        try:
            while self._sock is not None and (slab := memory.slab) is not None and (memory.position < slab.fill or core.events):
                taken = core.receive(slab.view, memory.position, slab.fill, self._loop.time())
                moved = taken != memory.position
                memory.position = taken
                if not self._act(slab) and not moved:
                    break
        finally:
            self._consuming = False
        transfer = self.transfer
        if transfer is None:
            memory.tidy()
        if self.paused or self._outbox.pending or (transfer is not None and (not transfer.whole or memory.unread)):
            self._throttle()

    def _throttle(self) -> None:
        """Stop reading a sender that is ahead of us or leaves its answers unread; `drained`, an answer or `_flush` look again."""
        if self._ahead():
            self._pause()
        elif self.paused:
            self._resume()

    def _pause(self) -> None:
        if not self.paused and self._sock is not None:
            self.paused = True
            self._loop.remove_reader(self._sock)
            self._core.paused(self._loop.time())

    def _resume(self) -> None:
        if self.paused and self._sock is not None:
            self.paused = False
            self._core.resumed(self._loop.time())
            self._loop.add_reader(self._sock, self._readable)
            self._slabs.no_longer(self._resume)
            if self._more is not None and self._more():
                self._loop.call_soon(self._readable)

    # -- writing

    def _send(self, data: bytes) -> None:
        if self._sock is None:
            return
        try:
            empty = self._outbox.send(data)
        except OSError as error:
            self._gone(f"errno {error.errno}")
            return
        if empty is self._writing:
            self._watch_writing(not empty)

    def _flush(self) -> None:
        try:
            empty = self._outbox.flush()
        except OSError as error:
            self._gone(f"errno {error.errno}")
            return
        if self._sock is not None and empty is self._writing:
            self._watch_writing(not empty)

    def _watch_writing(self, wanted: bool) -> None:
        assert self._sock is not None
        self._writing = wanted
        if wanted:
            self._loop.add_writer(self._sock, self._flush)
        else:
            self._loop.remove_writer(self._sock)
            self._throttle()

    # -- time and the end

    def tick(self, now: float) -> None:
        """Look at the deadlines of this association."""
        self._guarded(self._look, now)

    def _look(self, now: float) -> None:
        if self._sock is None:
            return
        if self._core.deadline is not None and self._core.deadline <= now:
            self._core.tick(now)
            self._act()
        if self._sock is not None and self._watch_at <= now:  # idle too: its keepalive probes tell, reliability §3
            self._watch_at = now + _WATCH_SECONDS
            if tune.seems_dead(self._sock):
                self._gone("no acknowledgement for 15 s")
            else:
                self._watched()

    def _flush_and_close(self) -> None:
        try:
            self._outbox.flush()
        except OSError:
            pass  # the close that follows says the same
        self._gone("")

    def _close(self) -> bool:
        """Let go of the socket; False when that was done before."""
        sock, self._sock = self._sock, None
        if sock is None:
            return False
        self._hangups.remove(sock)
        if not self.paused:
            self._loop.remove_reader(sock)
        if self._writing:
            self._loop.remove_writer(sock)
        sock.close()
        self._outbox.clear()
        return True

    def _let_go(self) -> None:
        """Of memory, held or waited for."""
        self._memory.let_go()
        self._slabs.no_longer(self._resume)
