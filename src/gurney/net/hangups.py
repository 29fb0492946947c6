"""The one place for connections that were reset while bytes of theirs were still unread.

The loop's own poller tells of such a socket once and then watches it no more, so its owner would wait for a deadline. Asked for
nothing, poll(2) still reports errors and hang-ups: one call a tick over all sockets, off the hot path.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable


class Hangups:
    """Sockets and whom to call about each; `look` is called every tick."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._calls: dict[int, Callable[[], None]] = {}

    def add(self, sock: socket.socket, call: Callable[[], None]) -> None:
        """Call `call` at each `look` while `sock` has an error or its peer has hung up; it reads until the error shows."""
        self._calls[sock.fileno()] = call
        self._poll.register(sock, 0)

    def remove(self, sock: socket.socket) -> None:
        """Before `sock` is closed."""
        if self._calls.pop(sock.fileno(), None) is not None:
            self._poll.unregister(sock)

    def look(self) -> None:
        """Tell the owners of broken sockets."""
        for fd, _ in self._poll.poll(0):
            call = self._calls.get(fd)
            if call is not None:
                call()
