"""Socket settings of reliability §3 as the kernel has them, and what an idle link shows."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gurney.net import tune


@pytest.fixture
def legs() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        left = socket.create_connection(server.getsockname())
        right, _ = server.accept()
        with left, right:
            tune.leg(left)
            yield left, right


def test_every_option(legs: tuple[socket.socket, socket.socket]) -> None:
    left, _ = legs
    tcp = socket.IPPROTO_TCP
    assert not left.getblocking()
    assert left.getsockopt(tcp, socket.TCP_NODELAY) == 1
    assert left.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert [left.getsockopt(tcp, option) for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)] == [10, 3, 3]
    assert left.getsockopt(tcp, socket.TCP_USER_TIMEOUT) == 60_000


def test_an_idle_peer(legs: tuple[socket.socket, socket.socket]) -> None:
    left, right = legs
    assert not tune.idle_peer_gone(left) and not tune.seems_dead(left)
    right.send(b"late")
    while not tune.idle_peer_gone(left):  # bytes nobody asked for
        pass
    assert left.recv(10) == b"late" and not tune.idle_peer_gone(left)
    right.close()
    while not tune.idle_peer_gone(left):
        pass


def test_reset_is_seen_as_reset(legs: tuple[socket.socket, socket.socket]) -> None:
    left, right = legs
    tune.reset(left)
    with pytest.raises(ConnectionResetError):
        right.recv(1)
