"""Broken sockets are told of at every look until they are closed, whatever the loop's poller does."""

from __future__ import annotations

import socket

from gurney.net import tune
from gurney.net.hangups import Hangups


def test_a_reset_with_bytes_unread_is_told_at_every_look() -> None:
    hangups, told = Hangups(), []
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = socket.create_connection(server.getsockname())
        sock, _ = server.accept()
        hangups.add(sock, lambda: told.append(1))
        hangups.look()
        assert not told
        peer.sendall(b"half a PDU")
        hangups.look()
        assert not told  # bytes alone are the loop's
        tune.reset(peer)
        while not told:
            hangups.look()
        hangups.look()
        assert len(told) == 2
        hangups.remove(sock)
        hangups.look()
        assert len(told) == 2
        sock.close()
