"""The one place for serving the API on `control.sock`: who may connect, how much is read, how it starts and ends.

File permissions are the authentication (0600 in a 0700 folder); the kernel's word for who is at the other end (SO_PEERCRED) is asked
besides, so that a folder opened by mistake opens nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gurney.api.limits import Limited
from gurney.api.routes import application
from gurney.api.work import Work
from gurney.errors import GurneyError
from gurney.net import messages

END_SECONDS = 5.0
START_SECONDS = 10.0


def admitted(uid: int, own: int) -> bool:
    """Only the user Gurney runs as, and root."""
    return uid in (own, 0)


class _PeerProtocol(H11Protocol):
    """HTTP that knows its peer: `scope["client"]` is (uid, pid); whoever is not admitted is closed before a byte is read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel who connected."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        self.client = (str(uid), pid)
        if not admitted(uid, os.geteuid()):
            transport.abort()


class Server:
    """The API in a thread of its own, from `start` to `stop`."""

    def __init__(self, work: Work, path: Path) -> None:
        self._path = path
        config = uvicorn.Config(
            Limited(application(work)),
            http=_PeerProtocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=3,
            limit_concurrency=64,
            h11_max_incomplete_event_size=16 * 1024,
        )
        self._server = uvicorn.Server(config)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, and return when requests are answered. Raises `SocketsUnusable`."""
        self._socket = messages.listen(self._path)
        sockets = [self._socket]
        self._thread = threading.Thread(target=self._run, args=(sockets,), name="api", daemon=True)
        self._thread.start()
        waited = threading.Event()
        left = START_SECONDS
        while not self._server.started:
            if left <= 0 or not self._thread.is_alive():
                raise GurneyError("the API did not start")
            waited.wait(0.01)
            left -= 0.01

    def _run(self, sockets: list[Any]) -> None:
        self._server.run(sockets=sockets)

    def stop(self) -> None:
        """Answer what is being answered, then end. The socket file goes."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(END_SECONDS)
        messages.remove(self._path)
