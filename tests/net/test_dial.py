"""Connecting: one callback, whatever happens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from gurney.net.dial import Dial


def dialled(prepare: Callable[[], tuple[str, int]], within: float = 2.0) -> list[tuple[bool, str]]:
    """Dial once and wait for the callback; a second one would show."""
    loop = asyncio.new_event_loop()
    found: list[tuple[bool, str]] = []

    def done(sock: socket.socket | None, why: str) -> None:
        found.append((sock is not None, why))
        if sock is not None:
            sock.close()
        loop.call_later(0.05, loop.stop)

    Dial(loop, *prepare(), done, within)
    loop.call_later(10, loop.stop)
    loop.run_forever()
    loop.close()
    return found


def test_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert dialled(lambda: ("127.0.0.1", server.getsockname()[1])) == [(True, "")]


def test_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert dialled(lambda: ("127.0.0.1", port)) == [(False, "ECONNREFUSED")]


def test_a_name_is_looked_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert dialled(lambda: ("localhost", server.getsockname()[1])) in ([(True, "")], [(False, "ECONNREFUSED")])


def test_a_full_backlog_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        held = [socket.socket() for _ in range(8)]
        for sock in held:
            sock.setblocking(False)
            sock.connect_ex(address)
        assert dialled(lambda: address, within=0.2) == [(False, "connect-timeout")]
        for sock in held:
            sock.close()
