"""The one place for bytes that wait to be written to a non-blocking socket: gathered, never joined, never copied."""

from __future__ import annotations

import socket
from collections import deque
from itertools import islice

_GATHER = 64  # buffers a sendmsg; far under IOV_MAX


class Outbox:
    """Buffers in order for one socket. The owner watches for writability while `waiting` is true.

    Buffers must stay unchanged until they have left; memoryviews over receive slabs are sent as they are.
    """

    __slots__ = ("_buffers", "_sock", "pending")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffers: deque[memoryview | bytes] = deque()
        self.pending = 0  # bytes not yet taken by the kernel

    @property
    def waiting(self) -> bool:
        """Whether anything is left to write."""
        return self.pending > 0

    def add(self, buffer: memoryview | bytes) -> None:
        """Queue `buffer`; nothing is written before `flush`."""
        size = len(buffer)
        if size:
            self._buffers.append(buffer)
            self.pending += size

    def send(self, *buffers: memoryview | bytes) -> bool:
        """`add` these and `flush`: in one write, where nothing waits."""
        if self.pending or len(buffers) > _GATHER:
            for buffer in buffers:
                self.add(buffer)
            return self.flush()
        size = sum(map(len, buffers))
        try:
            sent = self._sock.send(buffers[0]) if len(buffers) == 1 else self._sock.sendmsg(buffers)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if sent == size:
            return True
        self._buffers.extend(buffers)
        self.pending = size - sent
        self._drop(sent)
        return self.flush()

    def flush(self) -> bool:
        """Write what the kernel takes; True when all has left. Raises OSError when the peer or the path is gone."""
        buffers = self._buffers
        while buffers:
            try:
                if len(buffers) == 1:
                    sent = self._sock.send(buffers[0])
                else:
                    sent = self._sock.sendmsg(list(islice(buffers, _GATHER)))
            except BlockingIOError:
                return False
            except InterruptedError:
                continue
            self.pending -= sent
            if not self.pending:
                buffers.clear()
                return True
            self._drop(sent)
        return True

    def _drop(self, sent: int) -> None:
        buffers = self._buffers
        while sent or (buffers and not len(buffers[0])):
            first = buffers[0]
            size = len(first)
            if sent < size:
                buffers[0] = memoryview(first)[sent:]
                return
            sent -= size
            buffers.popleft()

    def clear(self) -> None:
        """Forget what has not been written."""
        self._buffers.clear()
        self.pending = 0
