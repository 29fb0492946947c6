"""The one place for talking to the service manager that started the guard: ready, and its descriptor store (sd_notify(3)).

What lies in the store outlives the guard and every process of ours at once: the next guard finds its listeners there with the connections
that wait on them. Without a manager nothing here does anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterable, Mapping

from gurney.guard import listeners as addresses
from gurney.guard.intents import Listener

FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START (sd_listen_fds(3))."""


class Store:
    """The manager's side of our listeners. `environment`: what the manager gave us."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._found: dict[str, socket.socket] = {}
        if environment.get("LISTEN_PID") == str(os.getpid()):
            names = environment.get("LISTEN_FDNAMES", "").split(":")
            for number, name in enumerate(names[: _count(environment)], FIRST_DESCRIPTOR):
                with contextlib.suppress(OSError):  # a number that is no socket is not ours
                    os.set_inheritable(number, False)
                    self._found[name] = socket.socket(fileno=number)

    def ready(self) -> None:
        """The guard answers, and whoever waits for it may go on."""
        self._say("READY=1")

    def keep(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Let go of what lay in the store and is none of these (process, listener): nobody wants it any longer."""
        names = {_name(*one) for one in wanted}
        for name in set(self._found) - names:
            self._forget(name)

    def take(self, process: str, listener: Listener) -> socket.socket | None:
        """The listener of a process as it lay in the store; None when there is none, or another address has its name."""
        sock = self._found.pop(_name(process, listener.name), None)
        if sock is not None and not addresses.is_of(sock, listener):
            sock.close()
            return None
        if sock is not None:
            sock.setblocking(False)
        return sock

    def put(self, process: str, sockets: Mapping[str, socket.socket]) -> None:
        """Keep these listeners of a process."""
        for listener, sock in sockets.items():
            name = _name(process, listener)
            if name in self._found:  # the process had it too
                self._forget(name)
            self._say(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", sock)

    def drop(self, process: str, listener: str) -> None:
        """Keep it no longer."""
        self._say(f"FDSTOREREMOVE=1\nFDNAME={_name(process, listener)}")

    def _forget(self, name: str) -> None:
        self._found.pop(name).close()
        self._say(f"FDSTOREREMOVE=1\nFDNAME={name}")

    def _say(self, text: str, sock: socket.socket | None = None) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify, contextlib.suppress(OSError):
            notify.connect(address)  # a manager that is gone or does not listen changes nothing for traffic
            socket.send_fds(notify, [text.encode()], [] if sock is None else [sock.fileno()])


def _count(environment: Mapping[str, str]) -> int:
    text = environment.get("LISTEN_FDS", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _name(process: str, listener: str) -> str:
    """A name for the store: it takes at most 255 characters and no colon."""
    return hashlib.sha256(f"{process}\0{listener}".encode()).hexdigest()[:40]
